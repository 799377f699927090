use super::kernel;

/// Cosines and sines of the rotary angles, row by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rotary {
    pub(crate) cos: Vec<f32>,
    pub(crate) sin: Vec<f32>,
    /// Half the width of a head: the length of a row.
    pub(crate) half: usize,
}

impl Rotary {
    /// Makes sure that positions `0..positions` are there.
    pub(crate) fn cover(&mut self, head: usize, theta: f32, positions: usize) {
        if self.half != head / 2 || self.cos.len() < positions * self.half {
            let angles = crate::rotary::angles(head, theta, positions);
            self.half = head / 2;
            self.cos = angles.iter().map(|angle| angle.cos() as f32).collect();
            self.sin = angles.iter().map(|angle| angle.sin() as f32).collect();
        }
    }
}

kernel! {
    /// Rotates queries and keys in rows of packed query, key and value by the
    /// angles of their positions, backwards if `inverse`, and scales the queries.
    pub(crate) fn rotate(
        qkv: &mut [f32],
        hidden: usize,
        positions: &[u32],
        rotary: &Rotary,
        query_scale: f32,
        inverse: bool,
    ) {
        let half = rotary.half;
        for (row, &position) in qkv.chunks_exact_mut(3 * hidden).zip(positions) {
            let angles = position as usize * half..(position as usize + 1) * half;
            let (cos, sin) = (&rotary.cos[angles.clone()], &rotary.sin[angles]);
            let (queries, rest) = row.split_at_mut(hidden);
            for (part, scale) in [(queries, query_scale), (&mut rest[..hidden], 1.0)] {
                for head in part.chunks_exact_mut(2 * half) {
                    let (first, second) = head.split_at_mut(half);
                    let pairs = first.iter_mut().zip(second);
                    for ((x, y), (&cos, &sin)) in pairs.zip(cos.iter().zip(sin)) {
                        let sin = if inverse { -sin } else { sin };
                        let turned = x.mul_add(cos, -*y * sin) * scale;
                        *y = y.mul_add(cos, *x * sin) * scale;
                        *x = turned;
                    }
                }
            }
        }
    }
}
