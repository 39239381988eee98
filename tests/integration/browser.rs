//! Pages in a real browser: the report of `attack` renders, its pictures load, its table sorts; the page of `audit` can be
//! read at three widths. Chromium is the one that COUNTERPATCH_BROWSER names, or the first of the usual names that works.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{Program, shipped};

/// Put behind a copy of the page: presses a heading twice and says what is there.
const PROBE: &str = r##"<pre id="probe"></pre><script>
addEventListener("load", () => {
  const column = 15;
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
    names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| works(path))
}

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn the_report_renders_loads_its_images_and_sorts() {
    let browser = browser().expect("no Chromium (help: apt-get install chromium)");
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

    let report = opened(&browser, &program, &probed);
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

/// What a page's probe says.
fn opened(browser: &Path, program: &Program, page: &Path) -> Value {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", program.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", browser.display()));
    let dom = String::from_utf8_lossy(&output.stdout);
    let report = dom.rsplit_once("PROBE{").and_then(|(_, rest)| rest.split_once("}END"));
    let Some((report, _)) = report else { panic!("the page's script did not run: {output:?}") };
    serde_json::from_str(&format!("{{{report}}}")).unwrap()
}

/// Shows a page, given as a JSON string, at three widths, and measures it: its own width, the highest row, the widths of the
/// first two columns of the table of tools, and whether its first column stays when it is scrolled sideways.
const WIDTHS: &str = r##"<pre id="probe"></pre><script>
const text = PAGE;
const frames = [390, 1280, 1900].map((width) => {
  const frame = document.createElement("iframe");
  Object.assign(frame, { width, height: 900, srcdoc: text });
  document.body.append(frame);
  return frame;
});
addEventListener("load", () => {
  const measured = frames.map((frame) => {
    const page = frame.contentDocument;
    const table = page.getElementById("tools");
    const cells = [...table.rows[1].cells].slice(0, 2);
    const before = cells[0].getBoundingClientRect().left;
    table.parentElement.scrollLeft = 200;
    return {
      wanted: Number(frame.width), own: page.documentElement.scrollWidth,
      highest: Math.max(...[...page.querySelectorAll("tr")].map((row) => row.getBoundingClientRect().height)),
      columns: cells.map((cell) => cell.getBoundingClientRect().width),
      cut: cells.filter((cell) => cell.scrollWidth > cell.clientWidth).length,
      moved: cells[0].getBoundingClientRect().left - before,
      first: page.querySelector("h2").textContent, height: page.documentElement.scrollHeight,
    };
  });
  document.getElementById("probe").textContent = "PROBE" + JSON.stringify({ measured }) + "END";
});
</script>"##;

#[test]
#[ignore = "needs Chromium: apt-get install chromium"]
fn an_audit_can_be_read_at_three_widths() {
    let browser = browser().expect("no Chromium (help: apt-get install chromium)");
    let program = super::audit::folder();
    let mut table = "tool,benchmark,onnx,vnnlib,claim,witness\n".to_owned();
    for number in 0..33 {
        let files = "a_benchmark_of_2025,/home/somebody/benchmarks/sum/sum.onnx,sum/possible.vnnlib";
        let claim = ["unsat,", "sat,short.txt", "sat,near.txt", "sat,right.txt"][number % 4];
        table += &format!("verifier-{number},{files},{claim}\n");
    }
    program.write("claims.csv", table);
    let run = program.run(&["audit", "claims.csv", "--benchmarks", "all", "--html", "audit.html"]);
    assert_eq!(run.exit, Some(0), "{run:?}");
    let page = serde_json::to_string(&program.read("audit.html").unwrap()).unwrap().replace("</", "<\\/");
    let probed = program.path().join("probed.html");
    fs::write(&probed, WIDTHS.replace("PAGE", &page)).unwrap();

    let report = opened(&browser, &program, &probed);
    for measured in report["measured"].as_array().unwrap() {
        let number = |name: &str| measured[name].as_f64().unwrap();
        assert!(number("own") <= number("wanted"), "off the screen: {measured}");
        assert!(number("highest") <= 60.0, "a row is too high: {measured}");
        assert!(
            measured["columns"].as_array().unwrap().iter().all(|w| w.as_f64() > Some(70.0)),
            "{measured}"
        );
        assert_eq!(number("cut"), 0.0, "names are cut: {measured}");
        assert_eq!(number("moved"), 0.0, "the first column does not stay: {measured}");
        assert_eq!(measured["first"], "False unsat (9)", "accusations come first: {measured}");
    }
    assert_eq!(report["measured"].as_array().unwrap().len(), 3);
}
