// What Rust and the simulated function say to each other. One beat of either stream, in one shape for all widths.
#pragma once
#include <cstdint>

struct HematiteBeat {
    uint32_t data[16];
    // TLP: header DW0 to DW3. Frame: unused.
    uint32_t header[4];
    // Frame: bytes in this beat.
    uint8_t count;
    uint8_t error;
    uint8_t last;
};
