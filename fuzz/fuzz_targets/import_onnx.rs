//! No model that the reader accepts makes the importer, the rewrites or the rules for bounds panic, and what they make
//! has the shapes that it says.
#![no_main]

use counterpatch::bounds::Bounder;
use counterpatch::network;
use counterpatch::onnx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(model) = onnx::from_bytes(data) else { return };
    let Ok(network) = network::import::<f64>(&model) else { return };
    // Larger ones are right, and slow.
    if network.values_per_lane() < 1 << 16 && network.multiplications() < 1 << 20 {
        let output = network.evaluate(&vec![0.5; network.input_len()]);
        assert_eq!(output.len(), network.output_len());
        let _ = Bounder::new(&network);
    }
});
