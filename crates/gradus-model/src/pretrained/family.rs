//! The families of pretrained decoders, as one table: how each departs from Llama.

use crate::Activation;

/// What tells one family from another; sizes are in its config.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a family is a list of switches")]
pub struct Family {
    /// Id, as `gradus models show` prints it and golden files are named.
    pub name: &'static str,
    /// `model_type` in `config.json`.
    pub(crate) model_types: &'static [&'static str],
    /// `general.architecture` of a GGUF file.
    pub(crate) gguf: &'static str,
    /// Have the query, key and value projections biases (`None`: as `attention_bias`
    /// in the config says, and then the output projection has one, too).
    pub(crate) query_key_value_bias: Option<bool>,
    /// Is each query and key head normed before it is rotated.
    pub(crate) query_key_norm: bool,
    /// Are the outputs of attention and MLP normed before they are added.
    pub(crate) output_norms: bool,
    /// Added to every norm's weight.
    pub(crate) norm_offset: f32,
    /// Are embeddings scaled by the root of their width.
    pub(crate) scaled_embedding: bool,
    /// The gate's nonlinearity.
    pub(crate) activation: Activation,
    /// Is the head the embedding, where the config does not say.
    pub(crate) tied: bool,
    /// Which layers see only a window.
    pub(crate) window: Window,
    /// Width of a head, where the config does not say.
    pub(crate) head_size: Option<usize>,
    /// Base of the rotary angles, where the config does not say: of layers that
    /// see everything, and of those that see a window.
    pub(crate) rope_theta: (f64, f64),
}

/// Which layers see only the last `sliding_window` positions, where the config
/// has no `layer_types`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Window {
    /// None.
    Never,
    /// All, if the config has a window.
    Always,
    /// From `max_window_layers` on, if `use_sliding_window` is set.
    Upper,
    /// All but every sixth (or `sliding_window_pattern`-th).
    Alternating,
}

/// Llama, and what is built like it under its name: `SmolLM2`, `TinyLlama` and so on
/// (Touvron et al. 2023, "`LLaMA`", section 2.2; grouped queries of Ainslie et al. 2023).
const LLAMA: Family = Family {
    name: "llama",
    model_types: &["llama"],
    gguf: "llama",
    query_key_value_bias: None,
    query_key_norm: false,
    output_norms: false,
    norm_offset: 0.0,
    scaled_embedding: false,
    activation: Activation::Silu,
    tied: false,
    window: Window::Never,
    head_size: None,
    rope_theta: (10_000.0, 10_000.0),
};

/// Every family, in the order of listings.
pub const FAMILIES: &[Family] = &[
    LLAMA,
    // Jiang et al. 2023, "Mistral 7B", section 2. Its GGUF files say "llama".
    Family {
        name: "mistral",
        model_types: &["mistral"],
        gguf: "mistral",
        query_key_value_bias: Some(false),
        window: Window::Always,
        ..LLAMA
    },
    // Qwen team 2024, "Qwen2 Technical Report", section 2.2.
    Family {
        name: "qwen2",
        model_types: &["qwen2"],
        gguf: "qwen2",
        query_key_value_bias: Some(true),
        window: Window::Upper,
        ..LLAMA
    },
    // Qwen team 2025, "Qwen3 Technical Report", section 2.
    Family {
        name: "qwen3",
        model_types: &["qwen3"],
        gguf: "qwen3",
        query_key_norm: true,
        window: Window::Upper,
        head_size: Some(128),
        ..LLAMA
    },
    // Gemma team 2025, "Gemma 3 Technical Report", section 2.
    Family {
        name: "gemma3",
        model_types: &["gemma3_text"],
        gguf: "gemma3",
        query_key_norm: true,
        output_norms: true,
        norm_offset: 1.0,
        scaled_embedding: true,
        activation: Activation::GeluTanh,
        tied: true,
        window: Window::Alternating,
        head_size: Some(256),
        rope_theta: (1_000_000.0, 10_000.0),
        ..LLAMA
    },
];
