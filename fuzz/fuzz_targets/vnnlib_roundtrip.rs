//! Any accepted query is printed as itself, also by way of its tree and, from version 1.0, converted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(Ok(query)) = std::str::from_utf8(data).map(vnnlib::parse) else { return };
    let printed = query.print();
    let again = vnnlib::parse(printed.as_str()).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(again == query);
    assert_eq!(again.print(), printed);
    if let Ok(tree) = query.to_tree() {
        assert!(tree.to_query().is_ok_and(|query| query == again));
    }
    if let Ok(converted) = query.to_version_2(None) {
        assert!(vnnlib::parse(converted.print()).is_ok_and(|query| query == converted));
    }
});
