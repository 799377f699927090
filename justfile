# The same commands that CI runs, by short names. `just` alone lists them.

_default:
    @just --list

# Type-check everything, fast.
check:
    cargo check --workspace --all-targets

# Run every test; `just test search` runs those whose name holds the word.
test *words:
    cargo test --workspace {{words}}

# Clippy with warnings denied, and the licence and source lists where cargo-deny is installed.
lint:
    cargo clippy --workspace --all-targets -- -D warnings
    if command -v cargo-deny >/dev/null; then cargo deny check; fi

# Format everything.
fmt:
    cargo fmt

# The house rules: imports, seams, file length, links.
cases:
    cargo test -p gradus-studies --test house

# Run the quick study into a folder of its own and print where the numbers are.
record out="runs/record":
    cargo run --release -- run easy-to-hard --out {{out}}

# Build and open the library's documentation.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --open

# What CI runs, from nothing to the smoke test.
ci:
    .ci/run
