//! What each reader makes of good files, and that none falls over bad ones.

use std::io::Write;

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn npy_file(descr: &str, sizes: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {sizes}, }}\n");
    let mut bytes = [npy::MAGIC, &[1, 0]].concat();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    [bytes, header.into_bytes(), data.to_vec()].concat()
}

fn npz_file(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        archive.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn idx_file(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(sizes.len()).unwrap()];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    [bytes, data.to_vec()].concat()
}

fn cifar_file() -> Vec<u8> {
    let mut bytes = vec![7; cifar::RECORD];
    bytes[1] = 255;
    bytes[1 + 1024] = 51;
    bytes[1 + 2048] = 0;
    bytes
}

/// The first pixel and the shape of what is read.
fn check(
    name: &str,
    bytes: &[u8],
    shape: (usize, usize, usize),
    count: usize,
    first: &[f32],
    label: Option<usize>,
) {
    let set = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!((set.shape.height, set.shape.width, set.shape.channels), shape, "{name}");
    assert_eq!(set.images.len(), count, "{name}");
    assert_eq!(set.images[0].values[..first.len()], *first, "{name}");
    assert_eq!(set.images[0].label, label, "{name}");
}

#[test]
fn formats_are_told_by_their_first_bytes_and_read() {
    let grey: Vec<u8> = vec![255, 0, 51, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let floats: Vec<u8> = [1.0_f32, 0.0, 0.2, 0.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let large: Vec<u8> = [255.0_f64, 0.0, 51.0, 0.0].iter().flat_map(|x| x.to_be_bytes()).collect();
    let labels = npy_file("<i8", "(2,)", &[[3_i64.to_le_bytes()], [1_i64.to_le_bytes()]].concat().concat());
    let npz = npz_file(&[("labels", labels), ("images", npy_file("|u1", "(2, 2, 3)", &grey))]);
    check("bytes", &npy_file("|u1", "(2, 2, 3)", &grey), (2, 3, 1), 2, &[1.0, 0.0, 0.2], None);
    check("colour, last", &npy_file("|u1", "(1, 2, 2, 3)", &grey), (2, 2, 3), 1, &[1.0, 0.0, 0.2], None);
    check("colour, first", &npy_file("|u1", "(1, 3, 1, 4)", &grey), (3, 1, 4), 1, &[1.0, 0.0], None);
    check("planes", &npy_file("|u1", "(1, 2, 1, 6)", &grey), (1, 6, 2), 1, &[1.0, 0.0, 0.0], None);
    check("flat", &npy_file("<f4", "(1, 4)", &floats), (2, 2, 1), 1, &[1.0, 0.0, 0.2], None);
    check("flat colour", &npy_file("|u1", "(1, 12)", &grey), (2, 2, 3), 1, &[1.0, 0.0, 0.2], None);
    check(
        "0 to 255, big-endian",
        &npy_file(">f8", "(1, 2, 2)", &large),
        (2, 2, 1),
        1,
        &[1.0, 0.0, 0.2],
        None,
    );
    check("archive", &npz, (2, 3, 1), 2, &[1.0, 0.0, 0.2], Some(3));
    check("IDX", &idx_file(&[2, 2, 3], &grey), (2, 3, 1), 2, &[1.0, 0.0, 0.2], None);
    check("CIFAR-10", &cifar_file(), (32, 32, 3), 1, &[1.0, 0.2, 0.0], Some(7));
}

#[test]
fn pictures_survive_a_round_trip() {
    for channels in [1, 3] {
        let shape = Shape { height: 3, width: 5, channels };
        let values: Vec<f32> = (0..shape.len()).map(|at| (at * 4) as f32 / 255.0).collect();
        let bytes = picture::write(shape, &values).unwrap();
        assert_eq!(picture::read(&bytes), Ok((shape, values)));
    }
    assert!(picture::write(Shape { height: 2, width: 2, channels: 1 }, &[0.0]).is_err());
}

/// A JPEG of one value in each channel; the format keeps such a picture but for rounding.
fn jpeg(shape: Shape, pixel: &[u8], colour: image::ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    let values = pixel.repeat(shape.height * shape.width);
    let (width, height) = (u32::try_from(shape.width).unwrap(), u32::try_from(shape.height).unwrap());
    image::ImageEncoder::write_image(encoder, &values, width, height, colour).unwrap();
    bytes
}

#[test]
fn a_jpeg_is_read_in_its_own_colours() {
    let check = |channels, pixel: &[u8], colour| {
        let shape = Shape { height: 3, width: 5, channels };
        let bytes = jpeg(shape, pixel, colour);
        assert_eq!(kind(&bytes), Some(ImageFileKind::Picture));
        let (found, values) = picture::read(&bytes).unwrap();
        assert_eq!((found, values.len()), (shape, shape.len()));
        for (value, wanted) in values.iter().zip(pixel.iter().cycle()) {
            assert!((value * 255.0 - f32::from(*wanted)).abs() <= 2.0, "{pixel:?}: {values:?}");
        }
        // A picture that ends early is refused or read, never more.
        (0..bytes.len()).for_each(|end| drop(picture::read(&bytes[..end])));
    };
    check(1, &[200], image::ExtendedColorType::L8);
    check(3, &[250, 120, 10], image::ExtendedColorType::Rgb8);
    check(3, &[0, 60, 255], image::ExtendedColorType::Rgb8);
}

#[test]
fn labels_are_read_from_tables_and_arrays() {
    let table = |text: &str| match read_labels(text.as_bytes()) {
        Ok(labels::Labels::ByName(labels)) => {
            let mut labels: Vec<(String, (usize, Option<usize>))> = labels.into_iter().collect();
            labels.sort();
            labels
        }
        other => panic!("{other:?}"),
    };
    let want = [("0".to_owned(), (7, None)), ("1".to_owned(), (2, None))];
    assert_eq!(table("index,label\n0,7\n1,2\n"), want);
    assert_eq!(table("0,7\n1,2"), want);
    assert_eq!(table("pred,label,index\n9,7,0\n9,2,1\n"), want);
    let want = [("0".to_owned(), (7, Some(3))), ("1".to_owned(), (2, None))];
    assert_eq!(table("index,target,label\n0,3,7\n1,,2\n"), want);
    assert_eq!(read_labels(&idx_file(&[2], &[4, 9])), Ok(labels::Labels::InOrder(vec![4, 9])));
}

/// What numpy makes of `np.array([[0, 1], [2, 3]])` in every type, in both orders of bytes and of axes.
#[test]
fn every_type_and_order_is_read() {
    let check = |descr: &str, fortran: bool, version: u8, bytes: &[Vec<u8>]| {
        let truth = if fortran { "True" } else { "False" };
        let header = format!("{{'descr': '{descr}', 'fortran_order': {truth}, 'shape': (2, 2), }}\n");
        let length = u32::try_from(header.len()).unwrap().to_le_bytes();
        let length = if version == 1 { &length[..2] } else { &length[..] };
        let order = if fortran { [0, 2, 1, 3] } else { [0, 1, 2, 3] };
        let data: Vec<u8> = order.iter().flat_map(|&at| bytes[at].clone()).collect();
        let file = [npy::MAGIC, &[version, 0], length, header.as_bytes(), &data].concat();
        let want = if descr == "|b1" { [0.0, 1.0, 1.0, 1.0] } else { [0.0, 1.0, 2.0, 3.0] };
        let got = npy::read(&file).unwrap_or_else(|error| panic!("{descr}, {fortran}, {version}: {error}"));
        assert_eq!((got.sizes, got.values), (vec![2, 2], want.to_vec()), "{descr}, {fortran}, {version}");
        assert_eq!(got.bytes, descr == "|u1", "{descr}");
    };
    let whole = |size: usize, big: bool| -> Vec<Vec<u8>> {
        let one = |number: u64| {
            if big {
                number.to_be_bytes()[8 - size..].to_vec()
            } else {
                number.to_le_bytes()[..size].to_vec()
            }
        };
        (0..4).map(one).collect()
    };
    for fortran in [false, true] {
        for version in 1..=3 {
            check("|u1", fortran, version, &whole(1, false));
            check("|i1", fortran, version, &whole(1, false));
            check("|b1", fortran, version, &[0, 1, 1, 1].map(|byte: u8| vec![byte]));
            for size in [2, 4, 8] {
                for kind in ["u", "i"] {
                    check(&format!("<{kind}{size}"), fortran, version, &whole(size, false));
                    check(&format!(">{kind}{size}"), fortran, version, &whole(size, true));
                }
            }
            let numbers = [0.0_f32, 1.0, 2.0, 3.0];
            check("<f4", fortran, version, &numbers.map(|number| number.to_le_bytes().to_vec()));
            check(">f4", fortran, version, &numbers.map(|number| number.to_be_bytes().to_vec()));
            check("<f8", fortran, version, &numbers.map(|number| f64::from(number).to_le_bytes().to_vec()));
            check(">f8", fortran, version, &numbers.map(|number| f64::from(number).to_be_bytes().to_vec()));
        }
    }
}

#[test]
fn arrays_that_are_written_are_read_back() {
    let floats = [0.1, -0.0, f32::MIN_POSITIVE, 1.0, 0.5, 2.0];
    let array = npy::read(&npy::write(npy::ArrayColumn::Floats(&floats, 3)).unwrap()).unwrap();
    assert_eq!((array.sizes, array.values), (vec![2, 3], floats.map(f64::from).to_vec()));
    let array = npy::read(&npy::write(npy::ArrayColumn::Numbers(&[7, -1, 1 << 40])).unwrap()).unwrap();
    assert_eq!(
        (array.sizes, array.values),
        (vec![3], vec![7.0, -1.0, f64::from(1 << 20) * f64::from(1 << 20)])
    );
    let texts = npy::write(npy::ArrayColumn::Texts(&["ab", "c"])).unwrap();
    let header = String::from_utf8_lossy(&texts[10..128]).into_owned();
    assert!(header.starts_with("{'descr': '<U2', 'fortran_order': False, 'shape': (2,)}"), "{header}");
    let points = texts[128..].chunks(4).map(|four| four[0]).collect::<Vec<u8>>();
    assert_eq!(points, *b"abc\0", "code points of four bytes, filled up with zeros");
    for (name, column) in
        [("images", npy::ArrayColumn::Floats(&floats, 3)), ("nothing", npy::ArrayColumn::Texts(&[]))]
    {
        let bytes = npz::write(&[(name, column)]).unwrap();
        assert_eq!(kind(&bytes), Some(ImageFileKind::Npz), "{name}");
    }
}

#[test]
fn messages_have_a_place_and_a_remedy() {
    let refused = |bytes: &[u8]| read(bytes).map(|_| ()).unwrap_err().to_string();
    let messages = [
        (refused(b"hello"), "no known format"),
        (refused(&npy_file("<c8", "(1, 2, 2)", &[0; 32])), "of type '<c8'"),
        (refused(&npy_file("|u1", "(9, 2, 2)", &[0; 4])), "4 bytes of numbers do not fit"),
        (
            refused(&npy_file("|u1", "(18446744073709551615, 18446744073709551615)", &[0; 4])),
            "do not fit the sizes",
        ),
        (refused(&npy_file("|u1", "(1, 5)", &[0; 5])), "[1, 5]"),
        (refused(&npy_file("=f4", "(1, 1, 1)", &[0; 4])), "of type '=f4'"),
        (
            refused(&npy_file("|u1", &"(".repeat(2000), &[])),
            "byte 10: the header has brackets more than 16 deep",
        ),
        (
            refused(&npy_file("|u1", &" ".repeat(20_000), &[])),
            "byte 10: the header is longer than 10000 bytes",
        ),
        (refused(&[npy::MAGIC, &[2, 0, 255, 255, 255, 255]].concat()), "byte 12: the header is longer"),
        (refused(&[npy::MAGIC, &[9, 0, 0, 0]].concat()), "byte 6: a format version other"),
        (refused(&npy_file("|u1", "7", &[0; 7])), "byte 6: "),
        (refused(&npy_file("<f4", "(1, 1, 1)", &(-1.0_f32).to_le_bytes())), "image 0: a value is -1"),
        (refused(&npz_file(&[("other", npy_file("|u1", "(1,)", &[0]))])), "holds other.npy but no images"),
        (refused(&idx_file(&[1, 2, 2], &[0; 3])), "byte 16: 3 bytes follow"),
        (refused(&vec![99; cifar::RECORD]), "a class above 9"),
        (
            read_labels(b"index,label\n0,1\n1,x\n").unwrap_err().to_string(),
            "line 3: the label is no whole number",
        ),
        (read_labels(b"0,1\n0,2\n").unwrap_err().to_string(), "line 2: an image has two labels"),
    ];
    for (message, place) in messages {
        assert!(message.contains(place) && message.contains("(help: "), "{message}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Every reader answers on garbled and cut files; only what was not touched must be read.
    #[test]
    fn no_reader_falls_over_bad_bytes(which in 0..6_usize, at in any::<prop::sample::Index>(), byte: u8, cut: bool) {
        let files = [
            npy_file("<f4", "(2, 2, 2)", &[0; 32]),
            npz_file(&[("x", npy_file("|u1", "(2, 2, 2)", &[0; 8])), ("y", npy_file("|u1", "(2,)", &[0; 2]))]),
            idx_file(&[2, 2, 2], &[0; 8]),
            cifar_file(),
            picture::write(Shape { height: 4, width: 4, channels: 3 }, &[0.5; 48]).unwrap(),
            b"file,label\na.png,1\n".to_vec(),
        ];
        let mut bytes = files[which].clone();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = (read(&bytes), read_labels(&bytes), picture::read(&bytes));
    }

    #[test]
    fn noise_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200), mark in 0..5_usize) {
        let marks: [&[u8]; 5] = [npy::MAGIC, b"PK\x03\x04", &[0, 0, 8, 3], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"];
        let bytes = [marks[mark], &bytes].concat();
        let _ = (read(&bytes), read_labels(&bytes), picture::read(&bytes));
    }
}
