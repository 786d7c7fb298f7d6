// Clocks one instance of the function: queues of beats at its four streams, so that many cycles go by in one call.
// Included once per parameter set, with SET, MODEL and WIDTH defined.
#include "shim.h"
#include "verilated.h"
#include "verilated_fst_c.h"
#include <cstring>
#include <deque>
#include <memory>

#define JOIN2(a, b) hematite_##a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define FN(name) JOIN(SET, name)

namespace {
// What must not change between two cycles while a stream waits.
struct Held {
    bool waiting = false;
    HematiteBeat beat{}, rider{};
};

struct JOIN(SET, instance) {
    VerilatedContext context;
    MODEL top;
    std::unique_ptr<VerilatedFstC> trace;
    std::deque<HematiteBeat> tlp_in, tlp_out, frame_in, frame_out;
    uint64_t cycle = 0;
    uint64_t random = 0;
    uint32_t stall = 0;  // of 256
    uint64_t violations = 0;
    bool offer_tlp = false, offer_frame = false;
    uint32_t packets_out = 0;
    Held held_tlp, held_frame;
    int64_t pace = 0, credit = 0;  // thousandths of a byte which the link takes in a cycle, and may take now; pace 0: all
    uint64_t limit[2] = {~0ull, ~0ull}, taken[2] = {};  // posted credits, of headers and of 16 bytes, from the beginning
    bool inside_tlp = false;       // the last beat of a TLP which has begun to move is yet to come
    bool inside_frame = false;     // the same of a frame from the wire
    uint64_t counts[4][2] = {};  // tlp_in, tlp_out, frame_in, frame_out: cycles moved, cycles stalled

    JOIN(SET, instance)() : top(&context, "hematite") {
        top.clock = 0;
        top.reset = 1;
        top.link_up = 1;
    }
    bool roll() {
        if (!stall) return false;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return (random & 255) < stall;
    }
    void count(int seam, bool valid, bool ready) {
        counts[seam][0] += valid && ready;
        counts[seam][1] += valid && !ready;
    }
    // Words of payload that a header promises.
    static uint32_t words(const uint32_t* header) {
        return header[0] >> 30 & 1 ? ((header[0] - 1) & 1023) + 1 : 0;
    }
    // What a TLP takes on the link: framing, header, payload, LCRC.
    static int64_t link_bytes(const uint32_t* header) {
        return 8 + 12 + (header[0] >> 29 & 1) * 4 + words(header) * 4;
    }
    // A memory write or a message.
    static bool posted(const uint32_t* header) {
        uint32_t type = header[0] >> 24 & 31;
        return type >> 3 == 2 || (type == 0 && header[0] >> 30 & 1);
    }
    bool affords(const uint32_t* header) const {
        return !posted(header) || (taken[0] < limit[0] && limit[1] - taken[1] >= (words(header) + 3) / 4);
    }
    void watch(Held& held, bool valid, bool ready, const HematiteBeat& beat, const HematiteBeat& rider = {}) {
        bool same = !memcmp(&held.beat, &beat, sizeof beat) && !memcmp(&held.rider, &rider, sizeof rider);
        if (held.waiting && !top.reset && (!valid || !same)) violations++;
        held.waiting = valid && !ready && !top.reset;
        held.beat = beat;
        held.rider = rider;
    }
    void one() {
        // A beat once offered stays offered.
        offer_tlp = !tlp_in.empty() && (offer_tlp || !roll());
        offer_frame = !frame_in.empty() && (offer_frame || !roll());
        top.tlp_in_valid = offer_tlp;
        if (offer_tlp) {
            const HematiteBeat& b = tlp_in.front();
            memcpy(&top.tlp_in_data, b.data, WIDTH / 8);
            memcpy(&top.tlp_in_side, b.header, 16);
            ((uint32_t*)&top.tlp_in_side)[4] = b.error;
            top.tlp_in_last = b.last;
        }
        top.frame_in_valid = offer_frame;
        if (offer_frame) {
            const HematiteBeat& b = frame_in.front();
            memcpy(&top.frame_in_data, b.data, WIDTH / 8);
            top.frame_in_side = b.count | b.error << 7;
            top.frame_in_last = b.last;
        }
        credit = credit + pace < pace ? credit + pace : pace;
        bool room = !pace || inside_tlp || credit > 0;
        top.tlp_out_ready = !roll() && room;
        top.frame_out_ready = !roll();
        top.clock = 0;
        top.eval();
        // What is offered does not hang on being taken.
        if (top.tlp_out_valid && top.tlp_out_ready && !inside_tlp && !affords((const uint32_t*)&top.tlp_out_side)) {
            top.tlp_out_ready = 0;
            top.eval();
        }
        if (trace) trace->dump(cycle * 10);

        count(0, offer_tlp, top.tlp_in_ready);
        count(1, top.tlp_out_valid, top.tlp_out_ready);
        count(2, offer_frame, top.frame_in_ready);
        count(3, top.frame_out_valid, top.frame_out_ready);
        if (offer_tlp && top.tlp_in_ready) {
            tlp_in.pop_front();
            offer_tlp = false;
        }
        if (offer_frame && top.frame_in_ready) {
            inside_frame = !frame_in.front().last;
            frame_in.pop_front();
            offer_frame = false;
        }
        if (top.tlp_out_valid || held_tlp.waiting) {
            HematiteBeat b{};
            memcpy(b.data, &top.tlp_out_data, WIDTH / 8);
            memcpy(b.header, &top.tlp_out_side, 16);
            const uint32_t* side = (const uint32_t*)&top.tlp_out_side;
            b.error = side[8] & 1;
            b.last = top.tlp_out_last;
            // A TLP without payload that comes behind this one.
            HematiteBeat rider{};
            rider.last = side[8] >> 1 & 1;
            if (rider.last) memcpy(rider.header, side + 4, 16);
            if (rider.last && !b.last) violations++;
            watch(held_tlp, top.tlp_out_valid, top.tlp_out_ready, b, rider);
            if (top.tlp_out_valid && top.tlp_out_ready && !top.reset) {
                if (!inside_tlp) {
                    credit -= 1000 * link_bytes(b.header);
                    if (posted(b.header)) {
                        taken[0]++;
                        taken[1] += (words(b.header) + 3) / 4;
                    }
                }
                inside_tlp = !b.last;
                tlp_out.push_back(b);
                packets_out += b.last;
                if (rider.last) {
                    credit -= 1000 * link_bytes(rider.header);
                    tlp_out.push_back(rider);
                    packets_out++;
                }
            }
        }
        if (top.frame_out_valid || held_frame.waiting) {
            HematiteBeat b{};
            memcpy(b.data, &top.frame_out_data, WIDTH / 8);
            b.count = top.frame_out_side & 127;
            b.error = top.frame_out_side >> 7;
            b.last = top.frame_out_last;
            watch(held_frame, top.frame_out_valid, top.frame_out_ready, b);
            if (top.frame_out_valid && top.frame_out_ready && !top.reset) {
                frame_out.push_back(b);
                packets_out += b.last;
            }
        }
        top.clock = 1;
        top.eval();
        if (trace) trace->dump(cycle * 10 + 5);
        cycle++;
    }
};
using Instance = JOIN(SET, instance);
}  // namespace

extern "C" {
void* FN(new)() { return new Instance; }
void FN(delete)(void* p) {
    Instance* m = (Instance*)p;
    if (m->trace) m->trace->close();
    m->top.final();
    delete m;
}
// PCIe reset for `cycles`; what is queued at the streams is gone. Only the rest of a frame which has begun to come from the wire still
// comes: the wire is not reset.
void FN(reset)(void* p, uint64_t cycles) {
    Instance* m = (Instance*)p;
    m->tlp_in.clear();
    m->tlp_out.clear();
    size_t rest = 0;
    if (m->inside_frame)
        while (rest < m->frame_in.size() && !m->frame_in[rest++].last) {}
    m->frame_in.resize(rest);
    m->frame_out.clear();
    m->offer_tlp = m->inside_tlp = false;
    m->offer_frame &= m->inside_frame;
    m->packets_out = 0;
    m->taken[0] = m->taken[1] = 0;
    m->top.reset = 1;
    while (cycles--) m->one();
    m->top.reset = 0;
    m->held_tlp.waiting = m->held_frame.waiting = false;
}
// Up to `most` cycles; fewer if `stop` and a packet has come out whole. Returns how many.
uint64_t FN(step)(void* p, uint64_t most, int stop) {
    Instance* m = (Instance*)p;
    uint64_t n = 0;
    while (n < most) {
        m->one();
        n++;
        if (stop && m->packets_out) break;
    }
    return n;
}
void FN(put_tlp)(void* p, const HematiteBeat* b) { ((Instance*)p)->tlp_in.push_back(*b); }
void FN(put_frame)(void* p, const HematiteBeat* b) { ((Instance*)p)->frame_in.push_back(*b); }
static int take(std::deque<HematiteBeat>& from, uint32_t& packets, HematiteBeat* b) {
    if (from.empty()) return 0;
    *b = from.front();
    from.pop_front();
    packets -= b->last;
    return 1;
}
int FN(take_tlp)(void* p, HematiteBeat* b) {
    Instance* m = (Instance*)p;
    return take(m->tlp_out, m->packets_out, b);
}
int FN(take_frame)(void* p, HematiteBeat* b) {
    Instance* m = (Instance*)p;
    return take(m->frame_out, m->packets_out, b);
}
uint64_t FN(cycle)(void* p) { return ((Instance*)p)->cycle; }
int FN(busy)(void* p) {
    Instance* m = (Instance*)p;
    return m->top.busy || !m->tlp_in.empty() || !m->frame_in.empty();
}
uint64_t FN(violations)(void* p) { return ((Instance*)p)->violations; }
void FN(stall)(void* p, uint64_t seed, uint32_t of_256) {
    Instance* m = (Instance*)p;
    m->random = seed | 1;
    m->stall = of_256;
}
// TLPs of the function are taken as a link takes them which moves so many thousandths of a byte in a cycle; 0: at once.
void FN(pace)(void* p, uint64_t thousandths) {
    Instance* m = (Instance*)p;
    m->pace = (int64_t)thousandths;
    m->credit = 0;
}
// So many posted credits may have been taken since the last reset: of headers, and of 16 bytes of payload.
void FN(posted)(void* p, uint64_t headers, uint64_t data) {
    Instance* m = (Instance*)p;
    m->limit[0] = headers;
    m->limit[1] = data;
}
// Eight numbers: of tlp_in, tlp_out, frame_in, frame_out each the cycles in which a beat moved, and waited.
void FN(counts)(void* p, uint64_t* out) { memcpy(out, ((Instance*)p)->counts, sizeof ((Instance*)p)->counts); }
// Beats which wait to go in at frame_in.
uint64_t FN(waiting)(void* p) { return ((Instance*)p)->frame_in.size(); }
void FN(link)(void* p, int up) {
    auto* m = (Instance*)p;
    m->top.link_up = up;
    m->top.eval();  // a function at rest says that it is no longer
}
int FN(trace)(void* p, const char* file) {
    Instance* m = (Instance*)p;
    if (m->trace) m->trace->close();
    m->context.traceEverOn(true);
    m->trace = std::make_unique<VerilatedFstC>();
    m->top.trace(m->trace.get(), 99);
    m->trace->open(file);
    return m->trace->isOpen();
}
void FN(flush)(void* p) {
    Instance* m = (Instance*)p;
    if (m->trace) m->trace->flush();
}
}
