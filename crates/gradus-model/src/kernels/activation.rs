use super::kernel;
use super::math::{exp, sigmoid};

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
    /// GELU (Hendrycks and Gimpel 2016, equation 1): `x / 2 (1 + erf(x / sqrt(2)))`, with the
    /// error function to 1.5e-7 (Abramowitz and Stegun 1964, 7.1.26).
    pub(crate) fn gelu_erf(x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
            let t = 1.0 / z.mul_add(0.327_591_1, 1.0);
            let poly = 1.061_405_4f32.mul_add(t, -1.453_152);
            let poly = poly.mul_add(t, 1.421_413_8).mul_add(t, -0.284_496_74);
            let tail = poly.mul_add(t, 0.254_829_6) * t * exp(-z * z);
            // 1 + erf is 2 - tail on the right and tail on the left.
            *y = 0.5 * x * if x < 0.0 { tail } else { 2.0 - tail };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By `0.5 * x * math.erfc(-x / math.sqrt(2))` in Python.
    #[test]
    fn gelu_by_the_error_function_is_that_of_the_error_function() {
        let x = [-6.0, -3.0, -1.0, -0.1, 0.0, 0.5, 1.0, 2.5, 8.0];
        let mut y = [0.0; 9];
        gelu_erf(&x, &mut y);
        let expected = [
            -5.919_524e-9,
            -0.004_049_694,
            -0.158_655_26,
            -0.046_017_22,
            0.0,
            0.345_731_23,
            0.841_344_8,
            2.484_475_9,
            8.0,
        ];
        for (found, expected) in y.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
