//! What the commands of LaTeX and the names of functions mean.

use super::expr::{Constant, Function, Relation, Series, SetOperator};
use super::token::Kind;

/// Whether a command means something here.
pub(super) fn is_known(name: &str) -> bool {
    ARGUMENTS.contains(&name)
        || ignored(name).is_some()
        || !matches!(named_command(name), Kind::Symbol(symbol) if symbol.starts_with('\\'))
        || OPERATORS.contains(&name)
}

/// Commands with an argument, and brackets, that are handled where they are read.
const ARGUMENTS: &[&str] = &[
    "text",
    "mbox",
    "textnormal",
    "textrm",
    "textbf",
    "textit",
    "textsf",
    "texttt",
    "hbox",
    "emph",
    "textsc",
    "mathrm",
    "rm",
    "mathbf",
    "bf",
    "mathit",
    "mathsf",
    "operatorname",
    "boldsymbol",
    "bm",
    "mathop",
    "mathcal",
    "mathfrak",
    "mathscr",
    "mathtt",
    "mathbb",
    "Bbb",
    "begin",
    "end",
    "hspace",
    "vspace",
    "color",
    "textcolor",
    "phantom",
    "hphantom",
    "vphantom",
    "label",
    "tag",
    "left",
    "right",
    "big",
    "Big",
    "bigg",
    "Bigg",
    "bigl",
    "bigr",
    "Bigl",
    "Bigr",
    "biggl",
    "biggr",
    "Biggl",
    "Biggr",
    "middle",
    "lbrace",
    "rbrace",
];

/// Named operators that are compared as names.
const OPERATORS: &[&str] =
    &["Re", "Im", "det", "arg", "deg", "ker", "dim", "sup", "hbar", "partial", "nabla", "Pr"];

/// A name that means the same with and without a backslash.
pub(super) fn named(name: &str) -> Option<Kind> {
    Some(match name {
        "sin" => Kind::Function(Function::Sin),
        "cos" => Kind::Function(Function::Cos),
        "tan" | "tg" => Kind::Function(Function::Tan),
        "cot" | "ctg" => Kind::Function(Function::Cot),
        "sec" => Kind::Function(Function::Sec),
        "csc" | "cosec" => Kind::Function(Function::Csc),
        "arcsin" | "asin" => Kind::Function(Function::Arcsin),
        "arccos" | "acos" => Kind::Function(Function::Arccos),
        "arctan" | "atan" | "arctg" => Kind::Function(Function::Arctan),
        "sinh" => Kind::Function(Function::Sinh),
        "cosh" => Kind::Function(Function::Cosh),
        "tanh" => Kind::Function(Function::Tanh),
        "log" | "ln" | "lg" => Kind::Function(Function::Log),
        "exp" => Kind::Function(Function::Exp),
        "abs" => Kind::Function(Function::Abs),
        "floor" => Kind::Function(Function::Floor),
        "ceil" => Kind::Function(Function::Ceil),
        "factorial" => Kind::Function(Function::Factorial),
        "gcd" => Kind::Function(Function::Gcd),
        "lcm" => Kind::Function(Function::Lcm),
        "max" => Kind::Function(Function::Max),
        "min" => Kind::Function(Function::Min),
        "mod" | "bmod" => Kind::Modulo,
        "sqrt" => Kind::Sqrt,
        "pi" => Kind::Constant(Constant::Pi),
        "infty" | "infinity" | "oo" | "inf" => Kind::Constant(Constant::Infinity),
        "alpha" | "beta" | "gamma" | "delta" | "epsilon" | "varepsilon" | "zeta" | "eta"
        | "theta" | "vartheta" | "iota" | "kappa" | "lambda" | "mu" | "nu" | "xi" | "rho"
        | "sigma" | "tau" | "upsilon" | "phi" | "varphi" | "chi" | "psi" | "omega" | "Gamma"
        | "Delta" | "Theta" | "Lambda" | "Xi" | "Pi" | "Sigma" | "Phi" | "Psi" | "Omega" => {
            Kind::Symbol(greek(name))
        }
        _ => return None,
    })
}

/// The Greek letter itself, so that `\alpha` and `α` are one name.
fn greek(name: &str) -> String {
    let letter = match name {
        "alpha" => 'α',
        "beta" => 'β',
        "gamma" => 'γ',
        "delta" => 'δ',
        "epsilon" | "varepsilon" => 'ε',
        "zeta" => 'ζ',
        "eta" => 'η',
        "theta" | "vartheta" => 'θ',
        "iota" => 'ι',
        "kappa" => 'κ',
        "lambda" => 'λ',
        "mu" => 'μ',
        "nu" => 'ν',
        "xi" => 'ξ',
        "rho" => 'ρ',
        "sigma" => 'σ',
        "tau" => 'τ',
        "upsilon" => 'υ',
        "phi" | "varphi" => 'φ',
        "chi" => 'χ',
        "psi" => 'ψ',
        "omega" => 'ω',
        "Gamma" => 'Γ',
        "Delta" => 'Δ',
        "Theta" => 'Θ',
        "Lambda" => 'Λ',
        "Xi" => 'Ξ',
        "Pi" => 'Π',
        "Sigma" => 'Σ',
        "Phi" => 'Φ',
        "Psi" => 'Ψ',
        "Omega" => 'Ω',
        other => return other.to_owned(),
    };
    letter.to_string()
}

/// A command without a meaning for us, and whether it is a space.
pub(super) fn ignored(name: &str) -> Option<bool> {
    match name {
        "quad" | "qquad" | "enspace" | "thinspace" | "space" | "displaystyle" | "textstyle"
        | "scriptstyle" | "limits" | "nolimits" | "hline" | "noindent" | "newline" | "angle"
        | "triangle" | "measuredangle" | "therefore" | "because" | "hfill" | "boxed" | "fbox"
        | "large" | "Large" | "small" | "normalsize" | "par" => Some(true),
        "overline" | "overrightarrow" | "overleftarrow" | "vec" | "hat" | "widehat" | "bar"
        | "tilde" | "widetilde" | "underline" | "overset" | "stackrel" | "mathstrut" | "not"
        | "dot" | "ddot" | "overparen" | "wideparen" | "unit" | "cancel" => Some(false),
        _ => None,
    }
}

pub(super) fn named_command(name: &str) -> Kind {
    if let Some(kind) = named(name) {
        return kind;
    }
    match name {
        "frac" | "dfrac" | "tfrac" | "cfrac" => Kind::Frac,
        "binom" | "dbinom" | "tbinom" => Kind::Binom,
        "pm" => Kind::PlusMinus,
        "mp" => Kind::MinusPlus,
        "cdot" | "times" | "ast" | "bullet" | "star" | "cdotp" => Kind::Times,
        "div" => Kind::Divide,
        "pmod" => Kind::Modulo,
        "circ" | "degree" => Kind::Degree,
        "prime" => Kind::Prime,
        "le" | "leq" | "leqslant" | "leqq" => Kind::Relation(Relation::LessEqual),
        "ge" | "geq" | "geqslant" | "geqq" => Kind::Relation(Relation::GreaterEqual),
        "lt" => Kind::Relation(Relation::Less),
        "gt" => Kind::Relation(Relation::Greater),
        "ne" | "neq" => Kind::Relation(Relation::NotEqual),
        "approx" | "simeq" | "thickapprox" | "approxeq" => Kind::Relation(Relation::Approximately),
        "in" => Kind::Relation(Relation::In),
        "equiv" => Kind::Relation(Relation::Other("equiv")),
        "Rightarrow" | "implies" | "Longrightarrow" => Kind::Relation(Relation::Other("implies")),
        "Leftrightarrow" | "iff" => Kind::Relation(Relation::Other("iff")),
        "to" | "rightarrow" | "longrightarrow" | "mapsto" => Kind::Relation(Relation::Other("to")),
        "sim" => Kind::Relation(Relation::Other("sim")),
        "cong" => Kind::Relation(Relation::Other("cong")),
        "perp" => Kind::Relation(Relation::Other("perp")),
        "parallel" => Kind::Relation(Relation::Other("parallel")),
        "subset" | "subseteq" => Kind::Relation(Relation::Other("subset")),
        "notin" => Kind::Relation(Relation::Other("notin")),
        "propto" => Kind::Relation(Relation::Other("propto")),
        "cup" | "bigcup" => Kind::SetOperator(SetOperator::Union),
        "cap" | "bigcap" => Kind::SetOperator(SetOperator::Intersection),
        "setminus" | "backslash" | "smallsetminus" => Kind::SetOperator(SetOperator::Difference),
        "emptyset" | "varnothing" => Kind::Constant(Constant::EmptySet),
        "ldots" | "dots" | "cdots" | "dotsc" | "dotsb" | "dotsm" | "vdots" | "ddots" => {
            Kind::Ellipsis
        }
        "langle" => Kind::Open('<'),
        "rangle" => Kind::Close('<'),
        "lfloor" => Kind::Open('f'),
        "rfloor" => Kind::Close('f'),
        "lceil" => Kind::Open('c'),
        "rceil" => Kind::Close('c'),
        "lvert" | "rvert" | "vert" | "Vert" | "lVert" | "rVert" => Kind::Bar,
        "lbrack" => Kind::Open('['),
        "rbrack" => Kind::Close('['),
        "mid" => Kind::Mid,
        "colon" => Kind::Colon,
        "wedge" | "land" | "lor" | "vee" | "and" | "or" => Kind::And,
        "sum" => Kind::Series(Series::Sum),
        "prod" => Kind::Series(Series::Product),
        "int" | "iint" | "oint" => Kind::Series(Series::Integral),
        "lim" => Kind::Series(Series::Limit),
        "ell" => Kind::Symbol("l".into()),
        "imath" => Kind::Constant(Constant::I),
        "euro" => Kind::Currency('€'),
        "pounds" => Kind::Currency('£'),
        "cent" => Kind::Word("cents".into()),
        other => Kind::Symbol(format!("\\{other}")),
    }
}
