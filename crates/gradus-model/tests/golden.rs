//! Agreement with `PyTorch`: losses and all gradients on fixed weights and batch,
//! against files that `tests/golden/make.py` wrote (`PyTorch` 2.15, CPU).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its golden file has failed")]

use std::path::Path;

use gradus::run::Stream;
use gradus_model::{
    Activation, Decoder, DecoderConfig, Example, Gradients, LmTarget, Parameter, ValueTarget,
    gradients,
};
use safetensors::SafeTensors;

struct Golden {
    bytes: Vec<u8>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        Self { bytes: std::fs::read(path).unwrap() }
    }

    fn data(&self, name: &str) -> Vec<u8> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        tensors.tensor(name).unwrap_or_else(|_| panic!("no tensor {name}")).data().to_vec()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let data = self.data(name);
        data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    fn integers(&self, name: &str) -> Vec<usize> {
        let data = self.data(name);
        data.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as usize).collect()
    }

    /// A weight or gradient that may be packed here and separate there.
    fn packed(&self, prefix: &str, parameter: &Parameter) -> Vec<f32> {
        let name = &parameter.name;
        let parts: &[&str] = match () {
            () if name.contains("qkv_proj") => &["q_proj", "k_proj", "v_proj"],
            () if name.contains("gate_up_proj") => &["gate_proj", "up_proj"],
            () => return self.floats(&format!("{prefix}{name}")),
        };
        let packed = if parts.len() == 3 { "qkv_proj" } else { "gate_up_proj" };
        parts
            .iter()
            .flat_map(|part| self.floats(&format!("{prefix}{}", name.replace(packed, part))))
            .collect()
    }

    fn examples(&self) -> Vec<Example> {
        let tokens = self.integers("tokens");
        let mut tokens = tokens.into_iter().map(|token| token as u32);
        let mut examples: Vec<Example> = self
            .integers("lengths")
            .into_iter()
            .map(|length| Example {
                tokens: tokens.by_ref().take(length).collect(),
                ..Example::default()
            })
            .collect();
        let targets = |name: &str| {
            let place = self.integers(&format!("{name}.place"));
            let place: Vec<(usize, usize)> =
                place.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
            let target = self.floats(&format!("{name}.target"));
            let weight = self.floats(&format!("{name}.weight"));
            place.into_iter().zip(target.into_iter().zip(weight)).collect::<Vec<_>>()
        };
        for ((sequence, position), (token, weight)) in targets("lm") {
            let target = LmTarget { position, token: token as u32, weight };
            examples[sequence].lm.push(target);
        }
        for ((sequence, position), (label, weight)) in targets("values") {
            examples[sequence].values.push(ValueTarget { position, label, weight });
        }
        examples
    }
}

fn agrees_with_pytorch(name: &str, hidden_act: Activation) {
    let golden = Golden::read(name);
    let config = DecoderConfig {
        vocab_size: 38,
        hidden_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        intermediate_size: 48,
        hidden_act,
        ..DecoderConfig::default()
    };
    let decoder = Decoder::new(config, &mut Stream::new(0, &[])).unwrap();
    for parameter in decoder.parameters() {
        let values = golden.packed("", parameter);
        parameter.update(|weight| weight.copy_from_slice(&values)).unwrap();
    }
    let examples = golden.examples();
    let examples: Vec<&Example> = examples.iter().collect();
    let mut found = Gradients::new(&decoder);
    let losses = gradients(&decoder, &examples, &mut found).unwrap();
    for (found, sum) in [(losses.lm_sum, "lm.sum"), (losses.value_sum, "values.sum")] {
        let expected = f64::from(golden.floats(sum)[0]);
        assert!((found / expected - 1.0).abs() < 1e-5, "{sum}: {found}, PyTorch {expected}");
    }
    for parameter in decoder.parameters() {
        let expected = golden.packed("gradient.", parameter);
        let found = &found.values()[parameter.offset..][..parameter.len];
        assert_eq!(found.len(), expected.len(), "{}", parameter.name);
        assert!(expected.iter().any(|gradient| gradient.abs() > 0.1), "{}", parameter.name);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
                "gradient of {} [{at}]: {found}, PyTorch {expected}",
                parameter.name
            );
        }
    }
}

#[test]
fn a_gelu_decoder_has_the_losses_and_gradients_of_pytorch() {
    agrees_with_pytorch("gelu.safetensors", Activation::GeluTanh);
}

#[test]
fn a_swiglu_decoder_has_the_losses_and_gradients_of_pytorch() {
    agrees_with_pytorch("swiglu.safetensors", Activation::Silu);
}
