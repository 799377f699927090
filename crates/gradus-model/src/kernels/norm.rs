use super::kernel;
use super::math::dot;

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
