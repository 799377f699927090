//! Grading looks at a text a fixed number of times, however long it is. The light
//! library itself knows no clock, so this stands outside of it.

use std::time::Instant;

use gradus::verify::{EXTRACTIONS, MODES};

#[test]
fn long_texts_take_time_in_proportion() {
    // Each repeated to 20,000 characters: one pass takes milliseconds also in a debug
    // build, one pass for every mark takes seconds.
    let mut slow = Vec::new();
    for piece in [
        "\\boxed{",
        "\\boxed ",
        "{",
        "}",
        "$x",
        "$ ",
        "$$",
        "\\(",
        "\\[",
        "\\begin{align}",
        "\\",
        "the answer is ",
        "the answer to th",
        "answer",
        "**Answer:** ",
        "(A) ",
        "option ",
        "B. ",
        "no ",
        "{\"answer\":",
        "\"answer\": \"",
        ", \"answer\": [",
        "# Answer\n",
        "#### ",
        "# ",
        "A: ",
        "\n",
        "1,",
        "1",
        "-",
        "- ",
        "7 3 ",
        "\\frac",
        "\\frac{",
        "\\sqrt",
        "\\sqrt{",
        "\\sqrt[3]{x}",
        "\\text{ ",
        ",\\!",
        "^",
        "^1",
        "^ \\circ",
        "cm",
        "million",
        "=",
        "/",
        "(1,",
        "prose ",
    ] {
        let text = piece.repeat(20_000 / piece.len());
        let mut time = |name: &str, work: &dyn Fn()| {
            let start = Instant::now();
            work();
            if start.elapsed().as_millis() > 500 {
                slow.push(format!("{name} on {piece:?}: {:?}", start.elapsed()));
            }
        };
        for extraction in EXTRACTIONS {
            time(extraction.name, &|| drop((extraction.extract)(&text)));
        }
        for mode in MODES {
            time(mode.name, &|| {
                (mode.compare)(&text, &text);
                (mode.compare)(&text, "1");
            });
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn deep_texts_need_little_stack() {
    let deep = |open: &str| format!("{}7{}", open.repeat(10_000), "}".repeat(10_000));
    let texts = ["\\boxed{", "\\text{", "\\mathrm{", "{", "\\sqrt{"].map(deep);
    let small = std::thread::Builder::new().stack_size(512 << 10);
    let graded = small.spawn(move || {
        for text in &texts {
            for extraction in EXTRACTIONS {
                let _ = (extraction.extract)(text);
            }
            for mode in MODES {
                (mode.compare)("7", text);
                (mode.compare)(text, "7");
            }
        }
    });
    graded.unwrap().join().unwrap();
}
