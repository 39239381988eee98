//! The report of `attack` in a real browser: it renders, its pictures load, its table sorts. Chromium is the one that
//! COUNTERPATCH_BROWSER names, or the first of the usual names that is installed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Program, shipped};

/// Put behind a copy of the page: presses a heading twice and says what is there.
const PROBE: &str = r##"<pre id="probe"></pre><script>
addEventListener("load", () => {
  const column = 13;
  const values = () => [...document.querySelectorAll("#methods tbody tr")].map((row) => Number(row.children[column].dataset.value));
  const button = document.querySelectorAll("#methods th button")[column];
  button.click();
  const ascending = values();
  button.click();
  const descending = values();
  const images = [...document.images];
  document.getElementById("probe").textContent = "PROBE" + JSON.stringify({
    ascending, descending, title: document.title, images: images.length,
    loaded: images.filter((image) => image.complete && image.naturalWidth > 0).length,
    plots: [...document.querySelectorAll("svg")].filter((plot) => plot.getBoundingClientRect().height > 0).length,
  }) + "END";
});
</script>"##;

/// On Ubuntu, the program of that name may be a text that says to install a snap.
fn works(program: &Path) -> bool {
    program.is_file() && Command::new(program).arg("--version").output().is_ok_and(|run| run.status.success())
}

fn browser() -> Option<PathBuf> {
    if let Some(named) = env::var_os("COUNTERPATCH_BROWSER") {
        return Some(named.into());
    }
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    let names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| works(path))
}

#[test]
fn the_report_renders_loads_its_images_and_sorts() {
    let Some(browser) = browser() else {
        eprintln!("*** SKIPPED: the report in a browser: no Chromium (help: apt-get install chromium) ***");
        return;
    };
    let program = Program::new();
    let (network, images) = (shipped("shapes_mlp.onnx"), shipped("shapes.npz"));
    let run = program.run(&[
        "attack",
        &network,
        "--images",
        &images,
        "--method",
        "random-k,fgsm,blackbox",
        "--gallery",
        "4",
        "--output",
        "out",
    ]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let page = fs::read_to_string(program.path().join("out/report.html")).unwrap();
    assert!(!page.contains("http:") && !page.contains("https:"), "the page needs nothing but itself");
    let probed = program.path().join("probed.html");
    fs::write(&probed, format!("{page}{PROBE}")).unwrap();

    let output = Command::new(&browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", program.path().join("profile").display()))
        .arg(format!("file://{}", probed.display()))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", browser.display()));
    let dom = String::from_utf8_lossy(&output.stdout);
    let report = dom.rsplit_once("PROBE{").and_then(|(_, rest)| rest.split_once("}END"));
    let Some((report, _)) = report else { panic!("the page's script did not run: {output:?}") };
    let report: Value = serde_json::from_str(&format!("{{{report}}}")).unwrap();
    assert_eq!(report["title"], "Attack on shapes_mlp.onnx by Counterpatch");
    assert!(report["images"].as_u64() >= Some(3), "{report}");
    assert_eq!(report["images"], report["loaded"], "{report}");
    assert_eq!(report["plots"], 6, "{report}");
    let numbers = |name: &str| -> Vec<f64> {
        report[name].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let (mut up, down) = (numbers("ascending"), numbers("descending"));
    assert!(up.len() == 3 && up.is_sorted(), "{report}");
    up.reverse();
    assert_eq!(up, down, "{report}");
}
