//! Properties that hold for every answer: a tree equals itself however it is
//! printed, and what differs by a digit is different. Texts of any kind are in
//! `tests/hang_inputs.rs`, beside a clock.

use proptest::prelude::*;

use super::expr::{Constant, Expr, Function};
use super::number::Rational;
use super::{Comparison, MathOptions, compare};
use crate::data::test_data;

fn found(gold: &str, answer: &str) -> Comparison {
    compare(gold, answer, &MathOptions::default())
}

/// Trees without division by zero and without roots of what may be negative.
fn tree() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (0i64..40).prop_map(Expr::integer),
        prop::sample::select(vec!["x", "y", "a", "n_1"]).prop_map(|name| Expr::Symbol(name.into())),
        Just(Expr::Constant(Constant::Pi)),
        (1i64..30).prop_map(|n| Expr::Root(Box::new(Expr::integer(2)), Box::new(Expr::integer(n)))),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let pair = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            pair.clone().prop_map(Expr::Sum),
            pair.prop_map(Expr::Product),
            (inner.clone(), 1i64..20).prop_map(|(top, bottom)| top.quotient(Expr::integer(bottom))),
            (inner.clone(), 2i64..4).prop_map(|(base, power)| base.power(Expr::integer(power))),
            inner.clone().prop_map(|part| Expr::Negative(Box::new(part))),
            inner.prop_map(|part| Expr::Call(Function::Cos, vec![part])),
        ]
    })
}

/// LaTeX for a tree, in one of several spellings: each bit of `style` is a choice.
fn print(expr: &Expr, style: u64) -> String {
    let next = style.rotate_right(7).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let part = |expr: &Expr, salt: u64| print(expr, next ^ salt);
    let (open, close) = if style & 1 == 0 { ("(", ")") } else { ("\\left( ", "\\right)") };
    let grouped = |expr: &Expr, salt: u64| match expr {
        Expr::Symbol(_) | Expr::Constant(_) | Expr::Root(..) => part(expr, salt),
        Expr::Number(value) if !value.is_negative() => part(expr, salt),
        _ => format!("{open}{}{close}", part(expr, salt)),
    };
    let turned = |parts: &[Expr]| -> Vec<Expr> {
        let mut parts = parts.to_vec();
        if style & 2 == 0 {
            parts.reverse();
        }
        parts
    };
    match expr {
        Expr::Number(value) => value.to_integer().unwrap().to_string(),
        Expr::Symbol(name) => name.clone(),
        Expr::Constant(_) => if style & 4 == 0 { "\\pi " } else { "π" }.into(),
        Expr::Root(_, radicand) => format!("\\sqrt{{{}}}", part(radicand, 1)),
        Expr::Sum(terms) => {
            let terms = turned(terms);
            let printed: Vec<_> = (0..).zip(&terms).map(|(at, term)| grouped(term, at)).collect();
            printed.join(if style & 8 == 0 { "+" } else { " + " })
        }
        Expr::Product(factors) => {
            let factors = turned(factors);
            let printed: Vec<_> =
                (0..).zip(&factors).map(|(at, factor)| grouped(factor, at)).collect();
            printed.join([" \\cdot ", "*", " \\times "][(style >> 4) as usize % 3])
        }
        Expr::Quotient(top, bottom) => match style >> 6 & 3 {
            0 => format!("\\frac{{{}}}{{{}}}", part(top, 1), part(bottom, 2)),
            1 => format!("\\dfrac {{{}}} {{{}}}", part(top, 1), part(bottom, 2)),
            _ => format!("{}/{}", grouped(top, 1), grouped(bottom, 2)),
        },
        Expr::Power(base, exponent) => {
            format!("{open}{}{close}^{{{}}}", part(base, 1), part(exponent, 2))
        }
        Expr::Negative(inner) => format!("-{}", grouped(inner, 1)),
        Expr::Call(_, arguments) => format!("\\cos{open}{}{close}", part(&arguments[0], 1)),
        other => panic!("not generated: {other:?}"),
    }
}

proptest! {
    #[test]
    fn an_answer_equals_itself_however_it_is_printed(
        expr in tree(),
        style in any::<u64>(),
        other in any::<u64>(),
    ) {
        let (gold, answer) = (print(&expr, style), print(&expr, other));
        let verdict = found(&gold, &answer);
        prop_assert!(matches!(verdict, Comparison::Equal(_)), "{} {} {:?}", gold, answer, verdict);
    }

    #[test]
    fn what_is_one_more_is_different(expr in tree(), style in any::<u64>()) {
        let more = Expr::Sum(vec![expr.clone(), Expr::Number(Rational::integer(1))]);
        let (gold, answer) = (print(&expr, style), print(&more, style));
        prop_assert!(!matches!(found(&gold, &answer), Comparison::Equal(_)), "{} {}", gold, answer);
    }

    #[test]
    fn exact_answers_are_compared_symmetrically(a in tree(), b in tree(), style in any::<u64>()) {
        let (a, b) = (print(&a, style), print(&b, style));
        let is_equal = |verdict| matches!(verdict, Comparison::Equal(_));
        prop_assert_eq!(is_equal(found(&a, &b)), is_equal(found(&b, &a)), "{} {}", a, b);
    }
}

#[test]
fn a_changed_digit_is_never_equal() {
    let Some(path) = test_data::file("math500/test.jsonl") else { return };
    let mut changed = 0;
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let gold = row["answer"].as_str().unwrap();
        for (at, digit) in gold.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
            let other = char::from(b'0' + (digit as u8 - b'0' + 1) % 10);
            let answer = format!("{}{other}{}", &gold[..at], &gold[at + 1..]);
            let verdict = found(gold, &answer);
            assert!(!matches!(verdict, Comparison::Equal(_)), "{gold} {answer} {verdict:?}");
            changed += 1;
        }
    }
    assert!(changed > 900, "{changed}");
}
