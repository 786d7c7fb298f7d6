//! The registers a virtio driver sees.
