use super::kernel;
use super::math::{dot, sum};

kernel! {
    /// `y = x / sqrt(mean(x^2) + eps) * weight`, row by row (Zhang and Sennrich
    /// 2019, equation 4); `inverse` gets the reciprocal root of each row.
    pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32, y: &mut [f32], inverse: &mut [f32]) {
        let width = weight.len();
        for ((x, y), inverse) in
            x.chunks_exact(width).zip(y.chunks_exact_mut(width)).zip(inverse)
        {
            *inverse = 1.0 / (dot(x, x) / width as f32 + eps).sqrt();
            for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
                *y = x * *inverse * weight;
            }
        }
    }
}

kernel! {
    /// Adds the input's gradient of a norm to `dx` and its weight's to `dweight`,
    /// given the gradient `dy` of its output.
    pub(crate) fn rms_norm_backward(
        x: &[f32],
        weight: &[f32],
        inverse: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        dweight: &mut [f32],
        scratch: &mut Vec<f32>,
    ) {
        let width = weight.len();
        scratch.resize(width, 0.0);
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for (((x, dy), dx), &inverse) in rows.zip(dx.chunks_exact_mut(width)).zip(inverse) {
            for ((weighted, dy), weight) in scratch.iter_mut().zip(dy).zip(weight) {
                *weighted = dy * weight;
            }
            let correction = dot(scratch, x) / width as f32 * inverse * inverse * inverse;
            for ((dx, x), weighted) in dx.iter_mut().zip(x).zip(&*scratch) {
                *dx += inverse.mul_add(*weighted, -correction * x);
            }
            for ((dweight, x), dy) in dweight.iter_mut().zip(x).zip(dy) {
                *dweight = (x * inverse).mul_add(*dy, *dweight);
            }
        }
    }
}

kernel! {
    /// `y = (x - mean) / sqrt(variance + eps) * weight + bias`, row by row (Ba et al. 2016,
    /// section 3); the variance is the mean square deviation.
    pub(crate) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32]) {
        let width = weight.len();
        for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
            let mean = sum(x) / width as f32;
            for (y, x) in y.iter_mut().zip(x) {
                *y = x - mean;
            }
            let inverse = 1.0 / (dot(y, y) / width as f32 + eps).sqrt();
            for ((y, weight), bias) in y.iter_mut().zip(weight).zip(bias) {
                *y = (*y * inverse).mul_add(*weight, *bias);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `torch.nn.functional.layer_norm([1, 2, 4, -3], weight, bias, 1e-5)`.
    #[test]
    fn a_layer_norm_is_that_of_pytorch() {
        let mut y = [0.0; 8];
        let x = [1.0, 2.0, 4.0, -3.0];
        layer_norm(&[x, x].concat(), &[1.0, 2.0, 0.5, 1.0], &[0.0, 1.0, 0.0, -1.0], 1e-5, &mut y);
        for (found, expected) in y[4..].iter().zip([0.0, 1.784_463_5, 0.588_347_6, -2.568_926_8]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(y[..4], y[4..]);
    }
}
