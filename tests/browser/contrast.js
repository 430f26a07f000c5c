// The visible texts, and the alternative texts of images that are not shown, with too low a contrast
// against their background (WCAG 2.2, 1.4.3), and the luminance of the brightest background, buttons
// and marks apart.
() => {
  const rgba = (css) => {
    const [r, g, b, a = 1] = css.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], under) =>
    [r, g, b].map((top, i) => top * a + under[i] * (1 - a)).concat(1);
  const luminance = ([r, g, b]) =>
    [r, g, b]
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reduceRight((under, layer) => over(layer, under), [255, 255, 255, 1]);
  };
  const findings = [];
  let seen = 0;
  const judge = (element, text) => {
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const background = behind(element);
    const [a, b] = [luminance(over(rgba(style.color), background)), luminance(background)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    seen += 1;
    if (ratio < (large ? 3 : 4.5)) {
      findings.push(`${ratio.toFixed(2)} ${style.color} on ${background.slice(0, 3).map(Math.round)}: ${text.trim().slice(0, 40)}`);
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    judge(element, node.data);
  }
  for (const image of document.images) if (image.alt && !image.naturalWidth) judge(image, image.alt);
  const elements = [...document.body.querySelectorAll('*')].filter((e) => !e.closest('.button, mark'));
  const brightest = Math.max(...[document.body, ...elements].map((e) => luminance(behind(e))));
  return { seen, findings, brightest };
}
