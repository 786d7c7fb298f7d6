//! Interrupts: which vector, when, and when not.

use hematite_sim::driver::{CONFIG_VECTOR, Options, RX, TX, message};
use hematite_sim::facts::{common, msix, status, virtio};
use hematite_sim::root::{Answer, Which};
use hematite_tests::{Bench, Make, NONE, frame, on_bodies};

on_bodies!(
    each_queue_has_its_vector,
    queues_may_share_a_vector,
    no_vector_no_message,
    a_vector_which_does_not_exist_is_refused,
    the_driver_may_ask_for_silence,
    a_masked_vector_stays_pending,
    the_function_mask_holds_all_back,
    msix_disabled_sends_nothing,
    message_address_and_data_are_the_entrys,
    an_error_while_masked_is_pending,
);

fn set_vector(bench: &mut Bench, queue: u16, vector: u16) -> u16 {
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_SELECT, &queue.to_le_bytes()));
    bench.drive(|driver, root| driver.set_common(root, common::QUEUE_MSIX_VECTOR, &vector.to_le_bytes()));
    u16::from_le_bytes(bench.drive(|driver, root| driver.common(root, common::QUEUE_MSIX_VECTOR)))
}

fn mask(bench: &mut Bench, vector: u16, masked: bool) {
    let (addr, data) = message(vector);
    let function = bench.driver.function.clone();
    bench.root.program_vector(&function, vector, addr, data, masked).expect("posted");
    bench.rest();
}

fn pending(bench: &mut Bench) -> u64 {
    let mut bits = [0; 8];
    bench.root.bar_read(bench.driver.function.pending, &mut bits).expect("pending bits");
    u64::from_le_bytes(bits)
}

fn control(bench: &mut Bench, value: u16) {
    let at = bench.driver.function.msix + 2;
    bench.root.config_write(at, &value.to_le_bytes()).expect("config write");
    bench.rest();
}

fn each_queue_has_its_vector(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bench.vectors(), [u32::from(TX) + 1]);
    bench.receive(&frame(60, 1));
    assert_eq!(bench.vectors(), [u32::from(RX) + 1]);
    bench.quiet();
}

fn queues_may_share_a_vector(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.root.monitor.order.forget_all();
    assert_eq!(set_vector(&mut bench, TX, 1), 1);
    bench.transmit(&[frame(60, 1)]);
    bench.receive(&frame(60, 1));
    assert_eq!(bench.vectors(), [1, 1]);
    bench.quiet();
}

fn no_vector_no_message(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    assert_eq!(set_vector(&mut bench, TX, virtio::NO_VECTOR), virtio::NO_VECTOR);
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(set_vector(&mut bench, TX, TX + 1), TX + 1);
    bench.works();
}

/// [virtio 1.4: MSI-X Vector Configuration] An impossible vector reads back as NO_VECTOR.
fn a_vector_which_does_not_exist_is_refused(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let beyond = bench.driver.function.vectors;
    assert_eq!(set_vector(&mut bench, TX, beyond), virtio::NO_VECTOR);
    assert_eq!(set_vector(&mut bench, TX, beyond - 1), beyond - 1);
    bench.drive(|driver, root| driver.set_common(root, common::CONFIG_MSIX_VECTOR, &beyond.to_le_bytes()));
    let read: [u8; 2] = bench.drive(|driver, root| driver.common(root, common::CONFIG_MSIX_VECTOR));
    assert_eq!(u16::from_le_bytes(read), virtio::NO_VECTOR);
    bench.recovers();
}

/// [virtio 1.4: Available Buffer Notification Suppression] VIRTQ_AVAIL_F_NO_INTERRUPT.
fn the_driver_may_ask_for_silence(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.driver.tx.suppress(&mut bench.root.memory, true);
    bench.transmit(&[frame(60, 1), frame(61, 2)]);
    assert_eq!(bench.vectors(), NONE);
    bench.driver.tx.suppress(&mut bench.root.memory, false);
    bench.works();
}

fn a_masked_vector_stays_pending(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    let vector = TX + 1;
    mask(&mut bench, vector, true);
    bench.transmit(&[frame(60, 1)]);
    bench.transmit(&[frame(60, 2)]);
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(pending(&mut bench), 1 << vector);
    mask(&mut bench, vector, false);
    assert_eq!(bench.vectors(), [u32::from(vector)], "once, however often it was raised");
    assert_eq!(pending(&mut bench), 0);
    bench.works();
}

fn the_function_mask_holds_all_back(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    control(&mut bench, msix::ENABLE | msix::FUNCTION_MASK);
    bench.transmit(&[frame(60, 1)]);
    bench.receive(&frame(60, 2));
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(pending(&mut bench), 0b110);
    control(&mut bench, msix::ENABLE);
    let mut vectors = bench.vectors();
    vectors.sort_unstable();
    assert_eq!(vectors, [1, 2]);
    assert_eq!(pending(&mut bench), 0);
    bench.works();
}

fn msix_disabled_sends_nothing(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    control(&mut bench, 0);
    bench.transmit(&[frame(60, 1)]);
    assert_eq!(bench.vectors(), NONE);
    control(&mut bench, msix::ENABLE);
    bench.root.msi.drain();
    bench.works();
}

fn message_address_and_data_are_the_entrys(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    bench.root.monitor.order.forget_all();
    let function = bench.driver.function.clone();
    let high = 0x12_fee0_0abc;
    bench.root.msi.register(high..high + 4);
    bench.root.program_vector(&function, TX + 1, high, 0xdead_beef, false).expect("posted");
    bench.transmit(&[frame(60, 1)]);
    let message = bench.root.msi.take().expect("a message");
    assert_eq!((message.addr, message.data), (high, 0xdead_beef));
    bench.quiet();
}

/// An error raises the configuration vector; what is masked then is no trouble after a reset.
fn an_error_while_masked_is_pending(make: Make) {
    let mut bench = Bench::new(make, Options::default());
    mask(&mut bench, CONFIG_VECTOR, true);
    bench.root.faults.add(Which::Nth(0), Answer::CompleterAbort);
    bench.drive(|driver, root| driver.send(root, &frame(60, 2)));
    bench.rest();
    assert_ne!(bench.status() & status::NEEDS_RESET, 0);
    assert_eq!(bench.vectors(), NONE);
    assert_eq!(pending(&mut bench), 1 << CONFIG_VECTOR);
    mask(&mut bench, CONFIG_VECTOR, false);
    assert_eq!(bench.vectors(), [u32::from(CONFIG_VECTOR)]);
    bench.recovers();
}
