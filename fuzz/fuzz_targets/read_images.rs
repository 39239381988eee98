//! No bytes make the readers of images and labels (.npy, .npz, IDX, CIFAR-10's records, tables) panic or allocate without
//! bound. What they accept has images of one shape with values from 0 to 1.
#![no_main]

use counterpatch::attack::images::{read, read_labels};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(mut set) = read(data) {
        for image in &set.images {
            assert_eq!(image.values.len(), set.shape.len());
            assert!(image.values.iter().all(|value| (0.0..=1.0).contains(value)));
        }
        if let Ok(labels) = read_labels(data) {
            let _ = labels.give(&mut set);
        }
    } else {
        let _ = read_labels(data);
    }
});
