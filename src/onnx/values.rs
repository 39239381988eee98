//! `TensorProto` and `SparseTensorProto` → [`Tensor`].
//!
//! Nothing is allocated for a claimed shape before the bytes that should fill it are known to be there. A large
//! float tensor that is nearly all zeros goes from its raw bytes to its non-zero entries without a dense copy.

use half::{bf16, f16};
use onnx_protobuf::tensor_proto::DataLocation;
use onnx_protobuf::{SparseTensorProto, TensorProto};

use super::content::ModelBytes;
use super::error::{ModelError, Place};
use super::external::{self, Folder};
use super::tensor::{Data, ElementType, MAX_LEN, SparseValues, Tensor};

/// Tensors with fewer values are always dense.
const SPARSE_MIN_LEN: usize = 4096;
/// A tensor is sparse when at most one in this many values is not zero: an index costs two values.
const SPARSE_RATIO: usize = 8;

/// Reads a tensor. `cut_out` are its raw bytes where [`outline`](super::outline) has taken them out of the proto.
pub(super) fn tensor(
    mut proto: TensorProto,
    cut_out: Option<&ModelBytes<'_>>,
    folder: &Folder,
) -> Result<Tensor, ModelError> {
    let place = Place::Value(proto.name.clone());
    let fail = |what: String| ModelError::new(place.clone(), what);
    let element = ElementType::from_number(proto.data_type).map_err(|what| fail(format!("holds {what}")))?;
    let shape = shape(&proto.dims).map_err(fail)?;
    let len: usize = shape.iter().product();
    let external = proto.data_location.enum_value() == Ok(DataLocation::EXTERNAL);
    let data = if external {
        raw_values(element, len, &external::find(&proto, len * width(element), folder)?)
    } else if let Some(raw) = cut_out {
        raw_values(element, len, raw)
    } else if proto.raw_data.is_empty() {
        typed_values(element, len, &mut proto)
    } else {
        raw_values(element, len, &ModelBytes::Held(&proto.raw_data))
    };
    Ok(Tensor { element, shape, data: data.map_err(fail)? })
}

/// Reads a sparse tensor; its name is that of its values.
pub(super) fn sparse_tensor(mut proto: SparseTensorProto, folder: &Folder) -> Result<Tensor, ModelError> {
    let values = proto.values.take().unwrap_or_default();
    let place = Place::Value(values.name.clone());
    let fail = |what: String| ModelError::new(place.clone(), what);
    let shape = shape(&proto.dims).map_err(fail)?;
    let len: usize = shape.iter().product();
    let values = tensor(values, None, folder)?.into_dense();
    let indices = tensor(proto.indices.take().unwrap_or_default(), None, folder)?;
    let flat = flat_indices(&indices, values.len(), &shape).map_err(fail)?;
    let element = values.element;
    let data = match values.data {
        Data::F32(v) => Data::SparseF32(SparseValues { indices: flat, values: v.to_vec() }),
        Data::F64(v) => Data::SparseF64(SparseValues { indices: flat, values: v }),
        Data::I64(v) if len <= 1 << 20 => {
            let mut dense = vec![0; len];
            flat.iter().zip(&v).for_each(|(&i, &x)| dense[i] = x);
            Data::I64(dense)
        }
        _ => return Err(fail("a sparse tensor of this element type and size is not supported".into())),
    };
    let tensor = Tensor { element, shape, data };
    let sparse = len >= SPARSE_MIN_LEN && tensor.stored_len() <= len / SPARSE_RATIO;
    Ok(if sparse { tensor } else { tensor.into_dense() })
}

/// Flat ascending indices from `[n]` flat ones or `[n, rank]` coordinates.
fn flat_indices(indices: &Tensor, count: usize, shape: &[usize]) -> Result<Vec<usize>, String> {
    let Some(given) = indices.as_i64() else { return Err("its indices are no integers".into()) };
    let len: usize = shape.iter().product();
    let flat: Option<Vec<usize>> = match indices.shape.as_slice() {
        [n] if *n == count => given.iter().map(|&i| usize::try_from(i).ok()).collect(),
        [n, rank] if *n == count && *rank == shape.len() => given
            .chunks(shape.len().max(1))
            .map(|coordinates| {
                coordinates.iter().zip(shape).try_fold(0, |flat, (&i, &d)| {
                    usize::try_from(i).ok().filter(|&i| i < d).map(|i| flat * d + i)
                })
            })
            .collect(),
        other => return Err(format!("indices of shape {other:?} for {count} values")),
    };
    let flat = flat.filter(|f| f.iter().all(|&i| i < len)).ok_or("an index outside its shape")?;
    if flat.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("its indices do not ascend".into());
    }
    Ok(flat)
}

/// The dimensions as sizes, with a product of at most [`MAX_LEN`].
pub(super) fn shape(dims: &[i64]) -> Result<Vec<usize>, String> {
    let shape: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    let shape = shape.ok_or_else(|| format!("a negative dimension in {dims:?}"))?;
    // An empty tensor may not hide an overflow either: zero sizes count as one here.
    let product = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    match product {
        Some(n) if n <= MAX_LEN => Ok(shape),
        _ => Err(format!("the shape {dims:?} claims more than {MAX_LEN} values")),
    }
}

fn width(element: ElementType) -> usize {
    use ElementType::*;
    match element {
        Int8 | UInt8 | Bool => 1,
        Float16 | BFloat16 | Int16 | UInt16 => 2,
        Float32 | Int32 | UInt32 => 4,
        Float64 | Int64 | UInt64 => 8,
    }
}

fn expect_len(claimed: usize, held: usize) -> Result<(), String> {
    if claimed == held {
        Ok(())
    } else {
        Err(format!("its shape claims {claimed} values, the file holds {held}"))
    }
}

fn raw_values(element: ElementType, len: usize, content: &ModelBytes<'_>) -> Result<Data, String> {
    use ElementType::*;
    expect_len(len * width(element), content.len()).map_err(|what| what.replace("values", "bytes"))?;
    let failed = |error| format!("its values cannot be read: {error}");
    if let (Float32, ModelBytes::InFile(_)) = (element, content) {
        let mut values = Vec::with_capacity(len);
        let mut add = |piece: &[u8]| {
            values.extend(piece.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        };
        content.for_pieces(&mut add).map_err(failed)?;
        return Ok(dense_or_sparse_f32(values));
    }
    let raw = &*content.bytes().map_err(failed)?;
    Ok(match element {
        Float32 => raw_f32(raw),
        Float64 => raw_f64(raw),
        Float16 => Data::F32(fixed(raw, |b| f16::from_le_bytes(b).to_f32()).into()),
        BFloat16 => Data::F32(fixed(raw, |b| bf16::from_le_bytes(b).to_f32()).into()),
        Int8 => Data::I64(fixed(raw, |b| i8::from_le_bytes(b).into())),
        Int16 => Data::I64(fixed(raw, |b| i16::from_le_bytes(b).into())),
        Int32 => Data::I64(fixed(raw, |b| i32::from_le_bytes(b).into())),
        Int64 => Data::I64(fixed(raw, i64::from_le_bytes)),
        UInt8 => Data::I64(fixed(raw, |b| u8::from_le_bytes(b).into())),
        UInt16 => Data::I64(fixed(raw, |b| u16::from_le_bytes(b).into())),
        UInt32 => Data::I64(fixed(raw, |b| u32::from_le_bytes(b).into())),
        UInt64 => Data::I64(signed(fixed(raw, u64::from_le_bytes))?),
        Bool => Data::I64(fixed(raw, |b: [u8; 1]| i64::from(b[0] != 0))),
    })
}

fn fixed<const N: usize, T>(raw: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    raw.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
}

fn raw_f32(raw: &[u8]) -> Data {
    let words = raw.as_chunks::<4>().0;
    let used = words.iter().filter(|b| **b != [0; 4]).count();
    if !is_sparse(words.len(), used) {
        return Data::F32(words.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>().into());
    }
    Data::SparseF32(sparse(words, used, f32::from_le_bytes))
}

fn raw_f64(raw: &[u8]) -> Data {
    let words = raw.as_chunks::<8>().0;
    let used = words.iter().filter(|b| **b != [0; 8]).count();
    if !is_sparse(words.len(), used) {
        return Data::F64(words.iter().map(|b| f64::from_le_bytes(*b)).collect());
    }
    Data::SparseF64(sparse(words, used, f64::from_le_bytes))
}

fn is_sparse(len: usize, used: usize) -> bool {
    len >= SPARSE_MIN_LEN && used <= len / SPARSE_RATIO
}

/// The entries that are not all zero bits (a negative zero is kept).
fn sparse<const N: usize, T>(words: &[[u8; N]], used: usize, read: impl Fn([u8; N]) -> T) -> SparseValues<T> {
    let mut indices = Vec::with_capacity(used);
    let mut values = Vec::with_capacity(used);
    for (i, word) in words.iter().enumerate().filter(|(_, word)| **word != [0; N]) {
        indices.push(i);
        values.push(read(*word));
    }
    SparseValues { indices, values }
}

/// Values from the typed fields of the proto: which one belongs to which element type is in `onnx.proto`.
fn typed_values(element: ElementType, len: usize, proto: &mut TensorProto) -> Result<Data, String> {
    use ElementType::*;
    let held = match element {
        Float32 => proto.float_data.len(),
        Float64 => proto.double_data.len(),
        Int64 => proto.int64_data.len(),
        UInt32 | UInt64 => proto.uint64_data.len(),
        _ => proto.int32_data.len(),
    };
    expect_len(len, held)?;
    let words = std::mem::take(&mut proto.int32_data);
    let bits = words.iter().map(|&w| w as u16);
    Ok(match element {
        Float32 => dense_or_sparse_f32(std::mem::take(&mut proto.float_data)),
        Float64 => Data::F64(std::mem::take(&mut proto.double_data)),
        Float16 => Data::F32(bits.map(|b| f16::from_bits(b).to_f32()).collect::<Vec<_>>().into()),
        BFloat16 => Data::F32(bits.map(|b| bf16::from_bits(b).to_f32()).collect::<Vec<_>>().into()),
        Int64 => Data::I64(std::mem::take(&mut proto.int64_data)),
        UInt32 | UInt64 => Data::I64(signed(std::mem::take(&mut proto.uint64_data))?),
        Bool => Data::I64(words.iter().map(|&w| i64::from(w != 0)).collect()),
        _ => Data::I64(words.into_iter().map(i64::from).collect()),
    })
}

fn dense_or_sparse_f32(values: Vec<f32>) -> Data {
    let used = values.iter().filter(|x| x.to_bits() != 0).count();
    if !is_sparse(values.len(), used) {
        return Data::F32(values.into());
    }
    let (indices, values) = values.into_iter().enumerate().filter(|(_, x)| x.to_bits() != 0).unzip();
    Data::SparseF32(SparseValues { indices, values })
}

fn signed(values: Vec<u64>) -> Result<Vec<i64>, String> {
    let convert = |x| i64::try_from(x).map_err(|_| format!("the value {x} is beyond 2^63 - 1"));
    values.into_iter().map(convert).collect()
}

/// What is to be said of a constant that is not made of numbers. Infinities are let through: attention masks are made of them.
pub(super) fn nan_in(name: &str, tensor: &Tensor) -> Option<ModelError> {
    let found = match &tensor.data {
        Data::F32(v) => v.iter().any(|x| x.is_nan()),
        Data::SparseF32(SparseValues { values: v, .. }) => v.iter().any(|x| x.is_nan()),
        Data::F64(v) | Data::SparseF64(SparseValues { values: v, .. }) => v.iter().any(|x| x.is_nan()),
        Data::I64(_) => false,
    };
    found.then(|| {
        ModelError::new(Place::Value(name.into()), "holds NaN (not a number)")
            .help("the network is broken: train or export it again")
    })
}

/// Refuses a constant that is not made of numbers.
pub(super) fn without_nan(name: &str, tensor: Tensor) -> Result<Tensor, ModelError> {
    nan_in(name, &tensor).map_or(Ok(tensor), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(proto: TensorProto) -> Result<Tensor, String> {
        let name = proto.name.clone();
        tensor(proto, None, &Folder::none()).and_then(|t| without_nan(&name, t)).map_err(|e| e.to_string())
    }

    fn proto(data_type: i32, dims: &[i64]) -> TensorProto {
        TensorProto { name: "w".into(), data_type, dims: dims.to_vec(), ..Default::default() }
    }

    #[test]
    fn every_element_type_is_read_raw_and_typed() {
        let cases: [(i32, &[u8], Data); 13] = [
            (1, &[0, 0, 0xc0, 0x3f], Data::F32(vec![1.5].into())),
            (2, &[0xff], Data::I64(vec![255])),
            (3, &[0xff], Data::I64(vec![-1])),
            (4, &[0xff, 0xff], Data::I64(vec![65535])),
            (5, &[0xfe, 0xff], Data::I64(vec![-2])),
            (6, &[0xfd, 0xff, 0xff, 0xff], Data::I64(vec![-3])),
            (7, &[1, 0, 0, 0, 0, 0, 0, 0], Data::I64(vec![1])),
            (9, &[1], Data::I64(vec![1])),
            (10, &[0, 0x3e], Data::F32(vec![1.5].into())),
            (11, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f], Data::F64(vec![1.5])),
            (12, &[0xff, 0xff, 0xff, 0xff], Data::I64(vec![4294967295])),
            (13, &[2, 0, 0, 0, 0, 0, 0, 0], Data::I64(vec![2])),
            (16, &[0xc0, 0x3f], Data::F32(vec![1.5].into())),
        ];
        for (data_type, raw, expected) in cases {
            let from_raw = read(TensorProto { raw_data: raw.to_vec(), ..proto(data_type, &[1]) }).unwrap();
            assert_eq!(from_raw.data, expected, "raw data of type {data_type}");
            let mut typed = proto(data_type, &[1]);
            match &expected {
                Data::F32(v) if data_type == 1 => typed.float_data = v.to_vec(),
                Data::F64(v) => typed.double_data = v.clone(),
                Data::I64(v) if data_type == 7 => typed.int64_data = v.clone(),
                Data::I64(v) if data_type == 12 || data_type == 13 => typed.uint64_data = vec![v[0] as u64],
                Data::I64(v) => typed.int32_data = vec![v[0] as i32],
                _ => typed.int32_data = vec![i32::from(u16::from_le_bytes([raw[0], raw[1]]))],
            }
            assert_eq!(read(typed).unwrap().data, expected, "typed data of type {data_type}");
        }
    }

    #[test]
    fn wrong_tensors_are_refused() {
        let with = |f: &dyn Fn(&mut TensorProto)| {
            let mut p = proto(1, &[2]);
            f(&mut p);
            p
        };
        let cases = [
            (with(&|p| p.float_data = vec![1.0]), "value w: its shape claims 2 values, the file holds 1"),
            (with(&|p| p.raw_data = vec![0; 7]), "value w: its shape claims 8 bytes, the file holds 7"),
            (with(&|p| p.dims = vec![-1]), "value w: a negative dimension in [-1]"),
            (
                with(&|p| p.dims = vec![1 << 40, 1 << 40]),
                "value w: the shape [1099511627776, 1099511627776] claims more than 536870912 values",
            ),
            (with(&|p| p.dims = vec![0, i64::MAX, i64::MAX]), "claims more than 536870912 values"),
            (with(&|p| p.data_type = 8), "value w: holds strings, which are no numbers"),
            (with(&|p| p.float_data = vec![0.0, f32::NAN]), "value w: holds NaN"),
        ];
        for (proto, expected) in cases {
            let message = read(proto).unwrap_err();
            assert!(message.contains(expected), "{message} lacks {expected}");
        }
    }

    #[test]
    fn nearly_empty_tensors_are_kept_sparse_and_mean_the_same() {
        for (len, used, sparse) in
            [(4095, 1, false), (4096, 512, true), (4096, 513, false), (10_000, 7, true)]
        {
            let mut dense = vec![0f32; len];
            (0..used).for_each(|i| dense[(i * 7919) % len] = 1.0 + i as f32);
            let raw_data = dense.iter().flat_map(|x| x.to_le_bytes()).collect();
            let expected: Vec<f64> = dense.iter().map(|&x| x.into()).collect();
            let typed = TensorProto { float_data: dense, ..proto(1, &[len as i64]) };
            for p in [TensorProto { raw_data, ..proto(1, &[len as i64]) }, typed] {
                let tensor = read(p).unwrap();
                assert_eq!(matches!(tensor.data, Data::SparseF32(_)), sparse, "{used} of {len}");
                assert_eq!(tensor.to_f64(), expected);
            }
        }
    }

    #[test]
    fn sparse_protos_are_read_by_flat_index_and_by_coordinates() {
        let sparse = |dims: &[i64], indices: TensorProto| SparseTensorProto {
            values: Some(TensorProto { float_data: vec![5.0, 6.0], ..proto(1, &[2]) }).into(),
            indices: Some(indices).into(),
            dims: dims.to_vec(),
            ..Default::default()
        };
        let flat = |i: &[i64], dims: &[i64]| TensorProto { int64_data: i.to_vec(), ..proto(7, dims) };
        let read = |p| sparse_tensor(p, &Folder::none());
        let expected = vec![0.0, 5.0, 0.0, 0.0, 0.0, 6.0];
        assert_eq!(read(sparse(&[2, 3], flat(&[1, 5], &[2]))).unwrap().to_f64(), expected);
        assert_eq!(read(sparse(&[2, 3], flat(&[0, 1, 1, 2], &[2, 2]))).unwrap().to_f64(), expected);
        for (indices, dims) in [([1, 6], [2, 3]), ([5, 1], [2, 3]), ([-1, 1], [2, 3]), ([0, 1], [1, 1])] {
            assert!(read(sparse(&dims, flat(&indices, &[2]))).is_err(), "{indices:?} in {dims:?}");
        }
    }
}
