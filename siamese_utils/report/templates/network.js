// The three-minute network in plain JavaScript, from the numbers in #network: no library, no request. It gives what
// Keras gives for the same pixels, but for rounding. In the browser's console: siamese.embed(pixels), and so on.
const siamese = (() => {
  const given = JSON.parse(document.querySelector("script#network").textContent), { plan } = given;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const once = (make) => { let made; return () => (made ??= make()); };

  // ---- the network: pixels (784,), 0 ink to 255 paper → an embedding ----

  // numbers in half precision, little endian
  const halves = (packed) => {
    const view = new DataView(packed.buffer), values = new Float32Array(packed.length / 2);
    for (let i = 0; i < values.length; i++) {
      const bits = view.getUint16(2 * i, true), exponent = (bits >> 10) & 31, fraction = bits & 1023;
      const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
      values[i] = bits >> 15 ? -size : size;
    }
    return values;
  };
  // the layers with their arrays; a norm becomes a scale and a shift of each feature
  const layers = once(() => {
    const all = halves(bytes(given.weights));
    let at = 0;
    const take = (count) => all.subarray(at, at += count);
    return plan.layers.map((layer) => {
      if (layer.kind === "conv") return { ...layer, kernel: take(layer.shape.reduce((a, b) => a * b)) };
      if (layer.kind !== "norm") return layer;
      const [gamma, beta, mean, variance] = [0, 1, 2, 3].map(() => take(layer.size));
      const scale = gamma.map((each, i) => each / Math.sqrt(variance[i] + layer.epsilon));
      return { ...layer, scale, shift: beta.map((each, i) => each - mean[i] * scale[i]) };
    });
  });
  // values (side, side, depth) in one array
  const run = {
    conv({ values, side, depth }, { kernel, shape: [height, width, , filters], used }) {
      const out = new Float32Array(used * used * filters), inked = new Float32Array(height * width * depth + 3);
      const rows = new Int32Array(inked.length);
      for (let y = 0; y < used; y++) for (let x = 0; x < used; x++) {
        // what is not 0, and its row of the kernel: behind a ReLU it is about half of the values
        let count = 0;
        for (let dy = 0; dy < height; dy++) for (let dx = 0; dx < width; dx++) {
          const row = y + dy - (height >> 1), column = x + dx - (width >> 1);
          if (row < 0 || column < 0 || row >= side || column >= side) continue;
          const from = (row * side + column) * depth, of = (dy * width + dx) * depth;
          for (let i = 0; i < depth; i++) {
            if (values[from + i] === 0) continue;
            inked[count] = values[from + i];
            rows[count++] = (of + i) * filters;
          }
        }
        inked.fill(0, count, count + 3);
        rows.fill(0, count, count + 3);
        const start = (y * used + x) * filters;
        for (let n = 0; n < count; n += 4) { // four at once, for speed
          const v0 = inked[n], v1 = inked[n + 1], v2 = inked[n + 2], v3 = inked[n + 3];
          const k0 = rows[n], k1 = rows[n + 1], k2 = rows[n + 2], k3 = rows[n + 3];
          for (let j = 0; j < filters; j++) {
            out[start + j] += v0 * kernel[k0 + j] + v1 * kernel[k1 + j] + v2 * kernel[k2 + j] + v3 * kernel[k3 + j];
          }
        }
      }
      return { values: out, side: used, depth: filters };
    },
    pool({ values, side, depth }) {
      const half = side >> 1, out = new Float32Array(half * half * depth);
      for (let y = 0; y < half; y++) for (let x = 0; x < half; x++) for (let i = 0; i < depth; i++) {
        const a = (2 * y * side + 2 * x) * depth + i, b = a + side * depth;
        out[(y * half + x) * depth + i] = Math.max(values[a], values[a + depth], values[b], values[b + depth]);
      }
      return { values: out, side: half, depth };
    },
    norm: (x, { scale, shift }) => ({ ...x, values: x.values.map((v, i) => v * scale[i % x.depth] + shift[i % x.depth]) }),
    relu: (x) => ({ ...x, values: x.values.map((v) => Math.max(v, 0)) }),
  };
  // the picture moved by an affine map, white where nothing was, as 0 paper to 1 ink
  const view = (pixels, [a, b, c, d, e, f]) => {
    const { size } = plan, out = new Float32Array(size * size);
    const at = (row, column) => (row < 0 || column < 0 || row >= size || column >= size ? 255 : pixels[row * size + column]);
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
      const across = a * x + b * y + c, down = d * x + e * y + f, left = Math.floor(across), top = Math.floor(down);
      const right = across - left, bottom = down - top;
      const upper = (1 - right) * at(top, left) + right * at(top, left + 1);
      const lower = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1);
      out[y * size + x] = 1 - ((1 - bottom) * upper + bottom * lower) / 255;
    }
    return out;
  };
  const unit = (vector) => {
    const length = Math.hypot(...vector) || 1;
    return vector.map((each) => each / length);
  };
  const embed = (pixels) => {
    const each = plan.views.map((map) => {
      const start = { values: view(pixels, map), side: plan.size, depth: 1 };
      return unit(layers().reduce((x, layer) => run[layer.kind](x, layer), start).values);
    });
    return each[0].map((_, i) => each.reduce((sum, vector) => sum + vector[i], 0) / each.length);
  };
  const similarity = (left, right) => {
    const other = unit(right);
    return unit(left).reduce((sum, each, i) => sum + each * other[i], 0);
  };
  // which part of a distribution, given by its quantiles in ascending order, lies below a value
  const below = (quantiles, value) => {
    const last = quantiles.length - 1;
    if (value < quantiles[0]) return 0;
    if (value >= quantiles[last]) return 1;
    const i = quantiles.findLastIndex((each) => each <= value);
    return (i + (value - quantiles[i]) / (quantiles[i + 1] - quantiles[i])) / last;
  };
  // what a similarity means, from pairs of images that the network was not trained on
  const meaning = (value) => {
    const aboveDifferent = below(plan.different, value), belowSame = 1 - below(plan.same, value);
    return { aboveDifferent, belowSame, same: belowSame < aboveDifferent };
  };

  // ---- a picture in another size, as Pillow does it ----

  const box = { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
  const cubic = {
    reach: 2,
    weight: (x) => {
      const far = Math.abs(x);
      return far < 1 ? (1.5 * far - 2.5) * far * far + 1 : far < 2 ? ((-0.5 * far + 2.5) * far - 4) * far + 2 : 0;
    },
  };
  // one row of weights for each pixel of the new side: where they begin, and they
  const weightsOf = (from, to, { reach, weight }, whole) => {
    const scale = from / to, wide = Math.max(scale, 1);
    return Array.from({ length: to }, (_, i) => {
      const middle = (i + 0.5) * scale;
      const first = Math.max(0, Math.trunc(middle - reach * wide + 0.5));
      const end = Math.min(from, Math.trunc(middle + reach * wide + 0.5));
      const raw = Array.from({ length: end - first }, (__, k) => weight((k + first - middle + 0.5) / wide));
      const sum = raw.reduce((a, b) => a + b);
      return { first, weights: raw.map((each) => (whole ? Math.floor(each / sum * 2 ** 22 + 0.5) : each / sum)) };
    });
  };
  // values (height, width) → (tall, broad); `whole`: 8-bit pixels, rounded after each direction
  const resize = ({ values, width, height }, broad, tall, filter, whole) => {
    const end = (sum) => (whole ? Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22 + 0.5))) : sum);
    const across = weightsOf(width, broad, filter, whole), down = weightsOf(height, tall, filter, whole);
    const Kind = whole ? Uint8Array : Float32Array, middle = new Kind(broad * height), out = new Kind(broad * tall);
    for (let y = 0; y < height; y++) for (let x = 0; x < broad; x++) {
      const { first, weights } = across[x];
      middle[y * broad + x] = end(weights.reduce((sum, each, k) => sum + each * values[y * width + first + k], 0));
    }
    for (let y = 0; y < tall; y++) for (let x = 0; x < broad; x++) {
      const { first, weights } = down[y];
      out[y * broad + x] = end(weights.reduce((sum, each, k) => sum + each * middle[(first + k) * broad + x], 0));
    }
    return { values: out, width: broad, height: tall };
  };
  const enlarge = (image, side) => resize(image, side, side, cubic, true);
  const shrink = (image) => resize(image, plan.size, plan.size, box, true).values;

  // ---- a drawing as Omniglot's are: see inference/preprocess.py, which has the reasons ----

  const INK_SIDE = 0.7, PEN = 0.075, PENS = [0.055, 0.12], FAINT = 25, BORDER_PART = 0.3, FRAME_PART = 0.75, FRAMED = 0.25;
  const MEASURED = 210;
  const quantile = (values, part) => {
    const sorted = Float64Array.from(values).sort(), at = part * (sorted.length - 1), low = Math.floor(at);
    return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  };
  const largest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
  // every line of an image, along and down: where it starts, the step to the next pixel, how many there are
  const eachLine = (width, height, work) => {
    for (let x = 0; x < width; x++) work(x, width, height);
    for (let y = 0; y < height; y++) work(y * width, 1, width);
  };
  // the extreme value up to `half` pixels away in either direction, `better` being Math.max or Math.min
  const extreme = ({ values, width, height }, half, better) => {
    const out = values.slice(), one = new Float32Array(Math.max(width, height)), other = one.slice();
    eachLine(width, height, (start, step, count) => {
      for (let i = 0; i < count; i++) one[i] = other[i] = out[start + i * step];
      // the windows grow to twice their length, one of them forwards and one backwards
      for (let done = 1, shift; done <= half; done += shift) {
        shift = Math.min(done, half + 1 - done);
        for (let i = 0; i + shift < count; i++) one[i] = better(one[i], one[i + shift]);
        for (let i = count - 1; i >= shift; i--) other[i] = better(other[i], other[i - shift]);
      }
      for (let i = 0; i < count; i++) out[start + i * step] = better(one[i], other[i]);
    });
    return { values: out, width, height };
  };
  const contrastOf = (image) => {
    const middle = quantile(image.values, 0.5), least = -largest(image.values.map((v) => -v)), most = largest(image.values);
    const dark = middle - least >= most - middle ? image : { ...image, values: image.values.map((v) => 255 - v) };
    const half = Math.max(3, Math.round(Math.max(image.width, image.height) / 3)) >> 1;
    const paper = extreme(extreme(dark, half, Math.max), half, Math.min).values;
    return { ...image, values: paper.map((v, i) => v - dark.values[i]) };
  };
  const otsu = (values) => {
    const counts = new Float64Array(256);
    values.forEach((v) => { counts[Math.floor(v)] += 1; });
    const total = values.length, whole = counts.reduce((sum, count, level) => sum + count * level, 0);
    let best = 0, most = -1, below = 0, sums = 0;
    counts.forEach((count, level) => {
      below += count;
      sums += count * level;
      const above = total - below, between = below * above * (sums / below - (whole - sums) / above) ** 2;
      if (between > most) [best, most] = [level, between];
    });
    return best;
  };
  const crop = ({ values, width }, top, left, height, wide) => {
    const out = new values.constructor(height * wide);
    for (let y = 0; y < height; y++) out.set(values.subarray((top + y) * width + left, (top + y) * width + left + wide), y * wide);
    return { values: out, width: wide, height };
  };
  const padded = ({ values, width, height }, margin) => {
    const out = new values.constructor((width + 2 * margin) * (height + 2 * margin));
    for (let y = 0; y < height; y++) out.set(values.subarray(y * width, (y + 1) * width), (y + margin) * (width + 2 * margin) + margin);
    return { values: out, width: width + 2 * margin, height: height + 2 * margin };
  };
  // where the ink lies: top, left, height, width; null without ink
  const boxOf = ({ values, width, height }) => {
    let [top, left, bottom, right] = [height, width, -1, -1];
    values.forEach((each, i) => {
      if (!each) return;
      const y = Math.floor(i / width), x = i % width;
      [top, left, bottom, right] = [Math.min(top, y), Math.min(left, x), Math.max(bottom, y), Math.max(right, x)];
    });
    return bottom < 0 ? null : [top, left, bottom - top + 1, right - left + 1];
  };
  // the distance of every pixel to the nearest one that is 0 (Felzenszwalb and Huttenlocher, 2012)
  const distances = ({ values, width, height }) => {
    const far = 1e12, out = Float64Array.from(values, (each) => (each ? far : 0));
    const most = Math.max(width, height), own = new Float64Array(most), at = new Int32Array(most), from = new Float64Array(most + 1);
    eachLine(width, height, (start, step, count) => {
      for (let i = 0; i < count; i++) own[i] = out[start + i * step];
      let last = 0;
      [at[0], from[0], from[1]] = [0, -Infinity, Infinity];
      for (let i = 1; i < count; i++) {
        // where the parabola of i meets the last one
        const meet = () => (own[i] + i * i - own[at[last]] - at[last] * at[last]) / (2 * (i - at[last]));
        while (last > 0 && meet() <= from[last]) last--;
        from[last + 1] = meet();
        at[++last] = i;
        from[last + 1] = Infinity;
      }
      for (let i = 0, k = 0; i < count; i++) {
        while (from[k + 1] < i) k++;
        out[start + i * step] = (i - at[k]) ** 2 + own[at[k]];
      }
    });
    return out.map(Math.sqrt);
  };
  // the same to the paper, which begins beyond the border at the latest
  const toPaper = (ink) => {
    const wide = padded(ink, 1);
    return crop({ ...wide, values: distances(wide) }, 1, 1, ink.height, ink.width).values;
  };
  const middleLines = (ink) => {
    const found = toPaper(ink), { width, height } = ink;
    const isHighest = (i) => {
      const y = Math.floor(i / width), x = i % width;
      for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) {
        if (x + dx >= 0 && x + dx < width && y + dy >= 0 && y + dy < height && found[i + dy * width + dx] > found[i]) return false;
      }
      return true;
    };
    return found.filter((_, i) => ink.values[i] && isHighest(i));
  };
  const penWidth = (ink) => 2 * quantile(middleLines(ink), 0.5) - 1;
  // connected ink, corners included: the number of its part for each pixel, 0 for paper, and the parts' areas
  const label = ({ values, width, height }) => {
    const parts = new Int32Array(values.length), areas = [0];
    values.forEach((each, start) => {
      if (!each || parts[start]) return;
      const number = areas.length, open = [start];
      parts[start] = number;
      areas.push(0);
      while (open.length) {
        const i = open.pop(), y = Math.floor(i / width), x = i % width;
        areas[number] += 1;
        for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) {
          const j = i + dy * width + dx;
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height || !values[j] || parts[j]) continue;
          parts[j] = number;
          open.push(j);
        }
      }
    });
    return { parts, areas };
  };
  // the ink without specks, and without what reaches in from the border
  const withoutStrays = (ink) => {
    const { parts, areas } = label(ink), { width, height } = ink, onBorder = new Set(), border = [];
    for (let x = 0; x < width; x++) border.push(parts[x], parts[(height - 1) * width + x]);
    for (let y = 0; y < height; y++) border.push(parts[y * width], parts[y * width + width - 1]);
    border.forEach((part) => { if (part) onBorder.add(part); });
    const side = (box) => (box ? Math.max(box[2], box[3]) : 0);
    const inside = { ...ink, values: ink.values.map((each, i) => (each && !onBorder.has(parts[i]) ? 1 : 0)) };
    const framed = border.filter(Boolean).length / border.length > FRAME_PART && side(boxOf(inside)) > FRAMED * Math.max(width, height);
    const sum = (numbers) => numbers.reduce((a, b) => a + areas[b], 0);
    if (!framed && sum([...onBorder]) > BORDER_PART * sum([...areas.keys()])) onBorder.clear();
    const kept = { ...ink, values: ink.values.map((each, i) => (each && !onBorder.has(parts[i]) ? 1 : 0)) };
    const least = penWidth(kept) ** 2 / 2;
    return { ...ink, values: kept.values.map((each, i) => (each && areas[parts[i]] >= least ? 1 : 0)) };
  };
  const withPen = (ink) => {
    const longer = Math.max(ink.width, ink.height), width = penWidth(ink);
    if (width < PENS[0] * longer) {
      const margin = (PEN * longer - width) / 2, wide = padded(ink, Math.ceil(margin));
      return { ...wide, values: Uint8Array.from(distances({ ...wide, values: wide.values.map((v) => 1 - v) }), (far) => (far <= margin ? 1 : 0)) };
    }
    if (width > PENS[1] * longer) {
      const margin = Math.min((width - PEN * longer) / 2, 0.8 * quantile(middleLines(ink), 0.1));
      return { ...ink, values: Uint8Array.from(toPaper(ink), (far) => (far > margin ? 1 : 0)) };
    }
    return ink;
  };
  // grey values (side, side), 0 to 255, as the network takes them: pixels (size, size); null where there is no ink.
  // `side` / 3 rounds to an odd number.
  const drawing = (grey, side) => {
    const contrast = contrastOf({ values: Float32Array.from(grey), width: side, height: side });
    if (largest(contrast.values) < FAINT) return null;
    const threshold = Math.max(otsu(contrast.values), FAINT / 2);
    const over = ({ values, ...sides }) => ({ ...sides, values: Uint8Array.from(values, (v) => (v > threshold ? 1 : 0)) });
    const all = over(contrast), strokes = withoutStrays(all);
    const clean = { ...contrast, values: contrast.values.map((v, i) => (all.values[i] && !strokes.values[i] ? 0 : v)) };
    if (!boxOf(strokes)) return null;
    const cut = crop(clean, ...boxOf(strokes)), factor = Math.ceil(MEASURED / Math.max(cut.width, cut.height));
    const large = factor > 1 ? resize(cut, cut.width * factor, cut.height * factor, cubic) : cut;
    const pen = withPen(over(large)), ink = crop(pen, ...boxOf(pen));
    const whole = Math.round(Math.max(ink.width, ink.height) / INK_SIDE), paper = new Uint8Array(whole * whole).fill(255);
    const top = (whole - ink.height) >> 1, left = (whole - ink.width) >> 1;
    ink.values.forEach((each, i) => {
      if (each) paper[(top + Math.floor(i / ink.width)) * whole + left + i % ink.width] = 0;
    });
    return shrink({ values: paper, width: whole, height: whole });
  };

  // ---- the page's characters ----

  const pictures = once(() => {
    const { side } = given.images, packed = bytes(given.images.runs), all = new Uint8Array(given.alphabets.length * given.drawers * side * side);
    let at = 0;
    packed.forEach((length, i) => { all.fill(i % 2 ? 0 : 255, at, at += length); });
    return all;
  });
  // number = character · drawers + drawer → its pixels, and they as the network takes them
  const picture = (number) => {
    const { side } = given.images;
    return { values: pictures().subarray(number * side * side, (number + 1) * side * side), width: side, height: side };
  };
  return { given, plan, embed, similarity, unit, meaning, drawing, picture, enlarge, pixels: (number) => shrink(picture(number)) };
})();
