use super::kernel;
use super::math::sigmoid;

/// `2 sqrt(2 / pi)`, from `tanh(u) = 2 sigmoid(2u) - 1`.
const SLOPE: f32 = 1.595_769_2;
const CUBIC: f32 = 0.044_715;

kernel! {
    /// GELU in its tanh form (Hendrycks and Gimpel 2016, section 2):
    /// `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`.
    pub(crate) fn gelu(x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * sigmoid(SLOPE * x * (CUBIC * x).mul_add(x, 1.0));
        }
    }
}

kernel! {
    /// Replaces the gradient of GELU's output in `dy` by that of its input, and
    /// writes the output itself to `y` again.
    pub(crate) fn gelu_backward(x: &[f32], y: &mut [f32], dy: &mut [f32]) {
        for ((y, dy), &x) in y.iter_mut().zip(dy).zip(x) {
            let square = x * x;
            let s = sigmoid(SLOPE * x * CUBIC.mul_add(square, 1.0));
            let slope = SLOPE * (3.0 * CUBIC).mul_add(square, 1.0);
            *y = x * s;
            *dy *= s * (x * slope).mul_add(1.0 - s, 1.0);
        }
    }
}

kernel! {
    /// `y = silu(gate) up` for rows that hold gate and up side by side, `width` each.
    pub(crate) fn swiglu(packed: &[f32], width: usize, y: &mut [f32]) {
        for (packed, y) in packed.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)) {
            let (gate, up) = packed.split_at(width);
            for ((y, &gate), up) in y.iter_mut().zip(gate).zip(up) {
                *y = gate * sigmoid(gate) * up;
            }
        }
    }
}

kernel! {
    /// Writes the packed input's gradient of [`swiglu`] to `dpacked` and its
    /// output again to `y`, given the gradient `dy` of the output.
    pub(crate) fn swiglu_backward(
        packed: &[f32],
        width: usize,
        y: &mut [f32],
        dy: &[f32],
        dpacked: &mut [f32],
    ) {
        let rows = packed.chunks_exact(2 * width).zip(dpacked.chunks_exact_mut(2 * width));
        let outputs = y.chunks_exact_mut(width).zip(dy.chunks_exact(width));
        for ((packed, dpacked), (y, dy)) in rows.zip(outputs) {
            let (gate, up) = packed.split_at(width);
            let (dgate, dup) = dpacked.split_at_mut(width);
            let gradients = dgate.iter_mut().zip(dup).zip(dy);
            for (((&gate, &up), y), ((dgate, dup), &dy)) in
                gate.iter().zip(up).zip(y).zip(gradients)
            {
                let s = sigmoid(gate);
                let silu = gate * s;
                *y = silu * up;
                *dup = dy * silu;
                *dgate = dy * up * (silu).mul_add(1.0 - s, s);
            }
        }
    }
}
