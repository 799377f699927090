use crate::decoder::{Parameter, part};
use crate::kernels::Panels;
use crate::{Decoder, ModelError};

/// A decoder's weights in the order in which products read them.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackedWeights {
    pub(crate) embedding: Vec<f32>,
    pub(crate) layers: Vec<PackedLayer>,
    pub(crate) final_norm: Vec<f32>,
    pub(crate) lm_head: PackedMatrix,
    pub(crate) value_head: Vec<f32>,
}

/// The weights of one layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackedLayer {
    pub(crate) input_norm: Vec<f32>,
    pub(crate) qkv: PackedMatrix,
    pub(crate) attention_out: PackedMatrix,
    pub(crate) mlp_norm: Vec<f32>,
    pub(crate) mlp_in: PackedMatrix,
    pub(crate) mlp_out: PackedMatrix,
}

/// A matrix for outputs from inputs, and for input gradients from output gradients.
#[derive(Clone, Debug, Default)]
pub(crate) struct PackedMatrix {
    pub(crate) forward: Panels,
    pub(crate) backward: Panels,
}

impl PackedWeights {
    /// Packs the weights of `decoder` as they are now; `backward` packs what
    /// gradients need, too.
    pub(crate) fn fill(&mut self, decoder: &Decoder, backward: bool) -> Result<(), ModelError> {
        copy(decoder.embedding(), &mut self.embedding)?;
        self.layers.resize_with(decoder.config().num_hidden_layers, PackedLayer::default);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            let weight = |part| decoder.layer(index, part);
            copy(weight(part::INPUT_NORM), &mut layer.input_norm)?;
            layer.qkv.fill(weight(part::QKV), backward)?;
            layer.attention_out.fill(weight(part::ATTENTION_OUT), backward)?;
            copy(weight(part::MLP_NORM), &mut layer.mlp_norm)?;
            layer.mlp_in.fill(weight(part::MLP_IN), backward)?;
            layer.mlp_out.fill(weight(part::MLP_OUT), backward)?;
        }
        copy(decoder.final_norm(), &mut self.final_norm)?;
        self.lm_head.fill(decoder.lm_head(), backward)?;
        self.value_head.clear();
        decoder.value_head().map_or(Ok(()), |head| copy(head, &mut self.value_head))
    }
}

impl PackedMatrix {
    fn fill(&mut self, parameter: &Parameter, backward: bool) -> Result<(), ModelError> {
        let (outputs, inputs) = parameter.var.dims2()?;
        parameter.read(|weight| {
            self.forward.pack_transposed(weight, outputs, inputs);
            if backward {
                self.backward.pack(weight, outputs, inputs);
            }
        })
    }
}

fn copy(parameter: &Parameter, to: &mut Vec<f32>) -> Result<(), ModelError> {
    parameter.read(|weight| {
        to.clear();
        to.extend_from_slice(weight);
    })
}
