//! No bytes make the reader of PNG and JPEG files panic or allocate without bound. What it accepts has as many values
//! from 0 to 1 as its shape says, and is written and read again as it was where it is small.
#![no_main]

use counterpatch::attack::images::picture::{read, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok((shape, values)) = read(data) else { return };
    assert_eq!(values.len(), shape.len());
    assert!(values.iter().all(|value| (0.0..=1.0).contains(value)));
    if shape.len() > 1 << 16 {
        return;
    }
    let Ok(bytes) = write(shape, &values) else { panic!("{shape:?} cannot be written") };
    let Ok((same, again)) = read(&bytes) else { panic!("{shape:?} cannot be read again") };
    assert_eq!(same, shape);
    // Values of 16 bits are rounded to 8.
    assert!(values.iter().zip(&again).all(|(a, b)| (a - b).abs() <= 0.5 / 255.0 + 1e-6));
});
