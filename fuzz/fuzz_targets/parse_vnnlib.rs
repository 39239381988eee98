//! Any bytes: the parser gives a query or errors whose every place can be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match vnnlib::parse(text) {
        Ok(query) => assert!(query.assertions().len() > 0),
        Err(errors) => {
            assert!(!errors.diagnostics().is_empty());
            for diagnostic in errors.diagnostics() {
                assert!(diagnostic.line() >= 1 && diagnostic.column() >= 1);
                assert!(diagnostic.span().start() <= text.len());
            }
            assert!(errors.to_string().contains("help: "));
        }
    }
});
