//! Known answers: the case file of other graders, public gold answers.
//! Inputs on which graders hang are in `tests/hang_inputs.rs`, beside a clock.

use std::collections::BTreeMap;

use super::*;
use crate::data::test_data;
use crate::verify::{extract, extract_gold};

fn rows(name: &str) -> Option<Vec<serde_json::Value>> {
    let text = std::fs::read_to_string(test_data::file(name)?).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn found(gold: &str, answer: &str) -> Comparison {
    compare(gold, answer, &MathOptions::default())
}

fn equal(gold: &str, answer: &str) -> bool {
    matches!(found(gold, answer), Comparison::Equal(_))
}

#[track_caller]
fn check(cases: &[(&str, &str)], expected: bool) {
    let wrong: Vec<_> = cases
        .iter()
        .map(|(gold, answer)| (gold, answer, found(gold, answer)))
        .filter(|(.., found)| match found {
            Comparison::Equal(_) => !expected,
            Comparison::Different(_) => expected,
            _ => true,
        })
        .collect();
    assert!(wrong.is_empty(), "should be {expected}: {wrong:#?}");
}

/// The options with which a row of the case file was meant to be graded.
fn options(row: &serde_json::Value) -> MathOptions {
    let mut options = MathOptions::default();
    if let Some(precision) = row["precision"].as_u64() {
        options.round_to = Some(u32::try_from(precision).unwrap());
    }
    if let Some(strict) = row["strict"].as_bool() {
        options.strict_names = strict;
    }
    if let Some(sets) = row["allow_set_relation_comp"].as_bool() {
        options.relation_as_set = sets;
    }
    options
}

#[test]
fn the_case_file_of_other_graders_is_met() {
    let Some(rows) = rows("grading/cases.jsonl") else { return };
    let auto = [auto::EXTRACTION];
    let (mut agree, mut sound) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        let gold = extract_gold(row["gold"].as_str().unwrap(), &auto).into_owned();
        let answer = extract(row["pred"].as_str().unwrap(), &auto).unwrap_or_default();
        let found = compare(&gold, &answer, &options(row));
        let expected = row["expected"].as_u64() == Some(1);
        let correct = matches!(found, Comparison::Equal(_));
        let agrees =
            correct == expected && matches!(found, Comparison::Equal(_) | Comparison::Different(_));
        if row.get("flag").is_none() {
            sound += 1;
            agree += u32::from(agrees);
        }
        if !agrees {
            println!("row {at}: {gold:?} and {answer:?}: {found:?}");
        }
        let theirs = row["default_verdicts"]["mathverify"] == "True";
        assert!(!correct || expected || theirs, "row {at}: correct for nobody else");
    }
    println!("{agree} of {sound} rows agree");
    assert!(f64::from(agree) >= 0.97 * f64::from(sound), "{agree} of {sound}");
}

/// The gold answers of public sets, by set.
fn public_golds() -> Option<Vec<(&'static str, String)>> {
    let mut golds = Vec::new();
    for set in ["gsm8k/test.jsonl", "gsm8k/train.jsonl"] {
        for row in rows(set)? {
            let answer = row["answer"].as_str().unwrap().rsplit_once("#### ").unwrap().1;
            golds.push(("gsm8k", answer.to_owned()));
        }
    }
    for row in rows("math500/test.jsonl")? {
        golds.push(("math500", row["answer"].as_str().unwrap().to_owned()));
    }
    for row in rows("qwen-math-eval/olympiadbench.jsonl")? {
        for answer in row["final_answer"].as_array().unwrap() {
            golds.push(("olympiadbench", answer.as_str().unwrap().to_owned()));
        }
    }
    for row in rows("qwen-math-eval/svamp.jsonl")? {
        golds.push(("svamp", row["Answer"].to_string()));
    }
    for row in rows("qwen-math-eval/mmlu_stem.jsonl")? {
        let choice = usize::try_from(row["answer"].as_u64().unwrap()).unwrap();
        golds.push(("mmlu_stem", row["choices"][choice].as_str().unwrap().to_owned()));
    }
    Some(golds)
}

#[test]
fn public_gold_answers_parse() {
    let Some(golds) = public_golds() else { return };
    let mut counts: BTreeMap<&str, [u32; 4]> = BTreeMap::new();
    for (set, gold) in &golds {
        let mut budget = Budget::new(1_000_000);
        let read = read::read(gold, false, &mut budget).unwrap();
        let counts = counts.entry(set).or_default();
        counts[0] += 1;
        match read.meaning {
            Meaning::Math(_) => {}
            Meaning::Text => {
                counts[1] += 1;
                if *set != "mmlu_stem" {
                    println!("{set}: as text: {gold}");
                }
            }
            Meaning::Unparsed | Meaning::TooLarge => {
                counts[2] += 1;
                println!("{set}: not at all: {gold}");
            }
        }
        // A gold meets itself, also in other words for the same spacing.
        if !equal(gold, gold) {
            counts[3] += 1;
        }
    }
    println!("of all, as text, not at all, not itself: {counts:?}");
    let sum = |at: usize, choices: bool| -> u32 {
        counts.iter().filter(|(set, _)| choices || **set != "mmlu_stem").map(|(_, c)| c[at]).sum()
    };
    assert!(f64::from(sum(2, true)) < 0.005 * f64::from(sum(0, true)));
    assert!(f64::from(sum(1, false)) < 0.02 * f64::from(sum(0, false)));
    assert_eq!(sum(3, true), 0);
}

#[test]
fn a_careful_teacher_accepts() {
    check(
        &[
            // numbers
            ("1000", "1000.0"),
            ("1", "3/3"),
            ("0.5", "1/2"),
            ("33.3", r"\frac{100}{3}"),
            ("4.123105625617661", r"\sqrt{17}"),
            (r"\frac{1}{3}", "0.3333333"),
            ("7,425,000", "7425000"),
            (r"14{,}916", "14916"),
            (r"32,\! 349", "32349"),
            ("1,22", "1.22"),
            ("0,111", "0.111"),
            ("1.5e3", "1500"),
            (r"1.5 \times 10^{3}", "1500"),
            (r"1\frac{4}{5}", "9/5"),
            (r"137 \frac{1}{2}", "137.5"),
            ("2 1/2", "2.5"),
            (r"-1\frac{1}{2}", "-1.5"),
            // units
            (r"\$18.90", "18.9"),
            (r"5.4 \text{ cents}", "5.4"),
            (r"28\%", "0.28"),
            (r"28\%", "28"),
            ("0.28", r"28\%"),
            (r"90^\circ", "90"),
            (r"\frac{270}7\text{ degrees}", r"\frac{270}{7}"),
            (r"15\mbox{ cm}^2", r"15 \text{ square centimeters}"),
            (r"2\text{ m}", r"200\text{ cm}"),
            (r"200\text{ cm}", "2 m"),
            ("6", "6 m"),
            (r"125\text{ miles}", "125 mi"),
            // radicals and other constants
            (r"\sqrt{12}", r"2\sqrt{3}"),
            (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}"),
            (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
            (r"\dfrac{\pi}{2}", "pi/2"),
            ("e^{2}", r"\exp(2)"),
            (r"\log_2 8", "3"),
            (r"\frac{1}{2}", r"\sin 30^\circ"),
            (r"\frac{\log 2}{\log 2-\log 3}", r"\frac{\ln 2}{\ln(2/3)}"),
            ("2+3i", "3i+2"),
            (r"\frac{1}{1+i}", r"\frac{1-i}{2}"),
            (r"2^{1009}", r"2\cdot 2^{1008}"),
            (r"\binom{10}{3}", "120"),
            // functions of variables
            ("2ax+b", "b+2ax"),
            ("(a+5)(b+2)", "ab+2a+5b+10"),
            (r"\frac{n(n+1)}{2}", r"\sum_{k=1}^{n} k"),
            (r"\binom{2n}{n}", r"\frac{(2n)!}{(n!)^2}"),
            (r"(n-2) 2^{n}+1", "1 - 2^{n+1} + n 2^n"),
            (r"\sin^2 x + \cos^2 x", "1"),
            (r"2 \sin b \cos a", r"\sin(a+b) - \sin(a-b)"),
            (r"\frac{1}{3\sqrt[3]{x}^2}", r"\frac{1}{3x^{2/3}}"),
            ("x^2+2x+1", "(x+1)^2"),
            (r"\lceil n/2 \rceil", r"\lfloor (n+1)/2 \rfloor"),
            // sets, lists, tuples, intervals
            ("1,-2", "-2, 1"),
            (r"\{1, 2\}", r"\{2, 1\}"),
            (r"1 \pm \sqrt{19}", r"1+\sqrt{19}, 1-\sqrt{19}"),
            ("(1,3)", "1, 3"),
            (r"\left(3, \frac{\pi}{2}\right)", r"(3, \pi/2)"),
            (r"(0,9) \cup (9,36)", r"(9,36)\cup(0,9)"),
            (r"(0,1]\cup(1,2)", "(0,2)"),
            (r"(-\infty, 2]", r"x \le 2"),
            (r"x \in [-2,7]", "[-2,7]"),
            (r"1\leq|z|\leq \frac{3}{2}", r"[-\frac32,-1]\cup[1,\frac32]"),
            (r"\mathbb{R} \setminus \{0\}", r"(-\infty,0)\cup(0,\infty)"),
            (r"\{x \mid -2 \le x < 1\}", "[-2, 1)"),
            (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(1, 2)"),
            // equations and inequalities
            ("x=5", "5"),
            ("5", "x = 5"),
            ("y = 2x + 3", "2x - y + 3 = 0"),
            ("5x - 7y + 11z + 4 = 0", "10x - 14y + 22z = -8"),
            ("x < 1", "-x > -1"),
            (r"-2 \le x \le 7", r"7 \ge x \ge -2"),
            ("f(x)=x+1", "f(n) = 1+n"),
            ("(p,q,r)=(3,2,7)", "(3,2,7)"),
            ("AB=4,CD=5", "4, 5"),
            (r"x=1/3\approx 0.33", "1/3"),
            ("x = 11", "x = 5+5+1 = 11"),
            (r"\frac{70}{9} \approx 7.78", r"\frac{70}{9}"),
            ("7:32", "14:64"),
            ("204_5", "204_{5}"),
            // words
            (r"\text{Even}", "even"),
            (r"\text{(C)}", "C"),
            ("12:00", "12:00"),
            ("5", "five"),
            (r"\{x \mid x>2\}", r"\{y \mid y>2\}"),
            (r"m<1 \text{ and } m\ne 0", r"(-\infty,0)\cup(0,1)"),
            (r"\textbf{(D)}\ 15", "15"),
            (r"\textbf{(D)}\ 15", "D"),
            (r"0.1\overline{6}", r"\frac{1}{6}"),
            (r"0.\overline{3}", "1/3"),
            ("3:45 p.m.", "3:45 PM"),
            ("P(X=2)=0.3", "0.3"),
            (r"\sin\theta=\frac35", r"\frac35"),
            (r"\frac{dy}{dx}=2x", "2x"),
            ("f^{-1}(x)=x-1", "x-1"),
            (r"\lim_{n\to\infty} a_n = 2", "2"),
            ("6", "6 m"),
            ("15", "15 m^2"),
            (r"(-\infty,1)\cup(2,\infty)", "x<1 or x>2"),
            ("x<1 or x>2", r"(-\infty,1)\cup(2,\infty)"),
            ("(-1,3)", "x>-1 and x<3"),
            (r"-1<x<3", "x<3, x>-1"),
            // prose around the answer
            ("34", "The largest $n$ is 34."),
            ("3", "Jane started growing Sphere 3 hours ago"),
        ],
        true,
    );
}

#[test]
fn a_careful_teacher_rejects() {
    check(
        &[
            (r"1 - \frac{1}{e}", r"1 + \frac{1}{e}"),
            ("(0,9)", "[0,9)"),
            ("x>5", "x<5"),
            (r"x \geq 5", "x > 5"),
            ("180000", "180002"),
            ("70000", "70001"),
            ("1000", "999.9999999"),
            ("15 n, 20 d", "15 n, 30 d"),
            (r"\{x|-2\leq x<1\}", r"\{x|-4\leq x<1\}"),
            (r"\sqrt[3]{2}", r"\sqrt[6]{2}"),
            (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}"),
            (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
            ("-1,-1,1,1", "1,-1,1,1,1"),
            ("-1,-1,1,1", "1,-1,1,1"),
            ("x=0, (5\\pm\\sqrt{241})/12", "x=0, (7\\pm\\sqrt{241})/12"),
            ("3*x-1*y+13=0", "3x + 4y + 14=0"),
            ("0.28", "28"),
            ("0.5", r"\frac{27}{50}"),
            ("33.3", "33.4"),
            ("33.3", "33.33"),
            (r"\frac13", "0.333"),
            (r"\pm 2021", "2021"),
            ("(1,2)", "(2,1)"),
            ("(3,1)", "1,3"),
            ("1, 2, 3", "1, 2"),
            (r"2\sqrt{2}", "2.8"),
            ("2x+z=1", "1"),
            ("a^2+b=0", "0"),
            ("x=5", "y=5"),
            ("AB=4,CD=5", "AB=5,CD=4"),
            ("f(x)", "f(y)"),
            (r"15\text{ cm}^2", r"15\text{ cm}"),
            (r"15\text{ m}", r"15\text{ cm}"),
            (r"10\text{ cm}", "10 m"),
            ("5 kg", "5 g"),
            (r"5 \text{ cm}^2", "5 m^2"),
            ("204_5", "204_6"),
            ("12:00", "1:00"),
            ("10:20", "5:10"),
            ("July 5", "June 5"),
            (r"1, 2, \ldots, n", r"1, 3, 5, \ldots, 2n-1"),
            (r"\text{east}", r"\text{west}"),
            (r"\text{(C)}", "D"),
            (r"\begin{pmatrix} 1 & 2 \end{pmatrix}", r"\begin{pmatrix} 2 & 1 \end{pmatrix}"),
            (r"F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1}", r"F_n = \sum_{k=0}^{n-2} F_k F_{n-k-2}"),
            ("32349", "32, 349"),
            (r"\sqrt{x^2}", "x"),
            (r"\lfloor x \rfloor", "x"),
            (r"\lfloor n/2 \rfloor", r"\frac{n}{2}"),
            ("6m", "6"),
            ("1,3", r"\frac{4}{3}"),
            ("3:45 p.m.", "3:45 AM"),
            ("x^2=5", "5"),
            (r"\{x \mid x>2\}", r"\{y \mid y<2\}"),
            (r"\textbf{(D)}\ 15", "16"),
            (r"\textbf{(D)}\ 15", r"\textbf{(C)}\ 15"),
            ("2x=10", "10"),
            (r"\sin\theta=\frac35", r"\frac45"),
            (r"\frac{6}{5}", "1,2"),
            (r"\sqrt{51}", "t(0,4]"),
            ("6", "6k"),
            ("(-1,3)", "x<-1 or x>3"),
            ("e^{\\pi\\sqrt{163}}", "262537412640768744"),
            ("14 - i", "14 + i"),
            ("x^2", "x^3"),
            ("2", "AZYUK2A"),
            ("(-\\infty, 3)", "(-\\infty, 3]"),
            ("\\frac{10}{9}", "\\frac{10}{8}"),
        ],
        false,
    );
}

#[test]
fn options_change_what_is_accepted() {
    let with = |gold: &str, answer: &str, options: &MathOptions| {
        matches!(compare(gold, answer, options), Comparison::Equal(_))
    };
    let names = MathOptions { strict_names: false, ..MathOptions::default() };
    assert!(with("f(x)", "f(y)", &names) && with("2a+b", "2x+y", &names));
    assert!(with("a-b", "y-x", &names) && !with("2a+b", "2x+x", &names));
    let rounded = MathOptions { round_to: Some(2), ..MathOptions::default() };
    assert!(with(r"(\frac{3}{5},\frac{8}{3}]", "(0.6,2.6667]", &rounded));
    assert!(!equal(r"(\frac{3}{5},\frac{8}{3}]", "(0.6,2.6667]"));
    let sets = MathOptions { relation_as_set: false, ..MathOptions::default() };
    assert!(!with("[-2,7]", r"-2 \le x \le 7", &sets) && equal("[-2,7]", r"-2 \le x \le 7"));
    assert!(with(r"-2 \le x \le 7", "[-2,7]", &sets));
    let digits = MathOptions { relative_digits: 3, ..MathOptions::default() };
    assert!(with(r"\frac13", "0.3333", &digits) && !with(r"\frac13", "0.33", &digits));
}

#[test]
fn an_ambiguous_comma_is_named_in_the_reason() {
    let reason = |gold, answer| match found(gold, answer) {
        Comparison::Equal(reason) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(reason("1,22", "1.22"), "gold-comma-read-as-decimal");
    assert_eq!(reason("0,111", "0.111"), "gold-comma-read-as-decimal");
    assert_eq!(reason("58,500", "58500"), "gold-comma-read-as-thousands");
    assert_eq!(reason("1,2", "2, 1"), "gold-comma-read-as-list");
    assert_eq!(reason("-1,-1,1,1", "1,1,-1,-1"), "same-elements-in-any-order");
    let other = Comparison::Different("other-element-in-any-order");
    assert_eq!(found("-1,-1,1,1", "1,-1,1,1"), other);
    let other = Comparison::Different("other-in-either-reading-of-comma");
    assert_eq!(found("1,22", "1.23"), other);
    assert_eq!(reason("100,200", "200, 100"), "gold-comma-read-as-list");
    assert_eq!(reason("2.74", "Soucis : 2,74 $ a.."), "answer-comma-read-as-decimal");
}

#[test]
fn a_gold_that_is_nothing_is_bad() {
    for gold in ["", " ", "$$", r"\frac{1}{", "2 + * / 3", r"\boxed{}"] {
        assert!(
            matches!(found(gold, "5"), Comparison::BadGold(_)),
            "{gold}: {:?}",
            found(gold, "5")
        );
    }
}
