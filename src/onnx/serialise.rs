//! Single tensors as files: the `TensorProto` messages of ONNX.

use half::{bf16, f16};
use onnx_protobuf::{Message as _, TensorProto};

use super::error::{ModelError, Place};
use super::tensor::ElementType;

/// The bytes of a file that holds one named tensor. Values that the type does not have are rounded as a cast does.
///
/// # Errors
/// If protobuf refuses it.
pub fn tensor_bytes(
    name: &str,
    element: ElementType,
    shape: &[u32],
    values: &[f64],
) -> Result<Vec<u8>, ModelError> {
    let proto = TensorProto {
        name: name.to_owned(),
        data_type: element.number(),
        dims: shape.iter().map(|&extent| i64::from(extent)).collect(),
        raw_data: values.iter().flat_map(|&value| little_endian(element, value)).collect(),
        ..Default::default()
    };
    proto.write_to_bytes().map_err(|error| ModelError::new(Place::Value(name.to_owned()), error.to_string()))
}

/// A value as `raw_data` holds it.
fn little_endian(element: ElementType, value: f64) -> Vec<u8> {
    match element {
        ElementType::Float16 => f16::from_f64(value).to_le_bytes().to_vec(),
        ElementType::BFloat16 => bf16::from_f64(value).to_le_bytes().to_vec(),
        ElementType::Float32 => (value as f32).to_le_bytes().to_vec(),
        ElementType::Float64 => value.to_le_bytes().to_vec(),
        ElementType::Int8 => (value as i8).to_le_bytes().to_vec(),
        ElementType::Int16 => (value as i16).to_le_bytes().to_vec(),
        ElementType::Int32 => (value as i32).to_le_bytes().to_vec(),
        ElementType::Int64 => (value as i64).to_le_bytes().to_vec(),
        ElementType::UInt8 => vec![value as u8],
        ElementType::UInt16 => (value as u16).to_le_bytes().to_vec(),
        ElementType::UInt32 => (value as u32).to_le_bytes().to_vec(),
        ElementType::UInt64 => (value as u64).to_le_bytes().to_vec(),
        ElementType::Bool => vec![u8::from(value != 0.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::read_tensor;

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        for element in ElementType::ALL {
            let values = if element == ElementType::Bool { [0.0, 1.0] } else { [3.0, 100.0] };
            let path = folder.path().join(format!("{element}.pb"));
            std::fs::write(&path, tensor_bytes("X", element, &[1, 2], &values).unwrap()).unwrap();
            let (name, tensor) = read_tensor(&path).unwrap();
            assert_eq!((name.as_str(), tensor.element, tensor.shape.as_slice()), ("X", element, &[1, 2][..]));
            assert_eq!(tensor.to_f64(), values, "{element}");
        }
        let scalar = tensor_bytes("Y", ElementType::Float64, &[], &[0.1]).unwrap();
        let path = folder.path().join("scalar.pb");
        std::fs::write(&path, scalar).unwrap();
        let tensor = read_tensor(&path).unwrap().1;
        assert_eq!((tensor.shape.len(), tensor.to_f64()), (0, vec![0.1]));
    }
}
