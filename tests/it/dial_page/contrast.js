// The text that is least easy to read: its contrast by WCAG 2.2, and what it says.
(() => {
  const light = colour => {
    const [r, g, b] = colour.map(v => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const numbers = colour => (colour.match(/[\d.]+/g) || []).map(Number);
  const behind = el => {
    for (; el; el = el.parentElement) {
      const c = numbers(getComputedStyle(el).backgroundColor);
      if (c.length === 3 || c[3] > 0.99) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  let worst = [99, ''];
  for (const el of document.querySelectorAll('body *')) {
    if (!el.checkVisibility() || el.closest('svg, .sr, script')) continue;
    if (![...el.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
    const text = light(numbers(getComputedStyle(el).color).slice(0, 3));
    const paper = light(behind(el));
    const ratio = (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${el.id} ${el.className}: ${el.textContent}`];
  }
  return worst;
})()
