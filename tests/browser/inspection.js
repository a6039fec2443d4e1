// What is to be known of a report's page as it is shown now: targets, images, what is too wide, what is hard to read.
() => {
  const say = (element) => `${element.localName}.${element.className} ${(element.textContent || element.alt || '').trim().slice(0, 60)}`;
  const root = document.documentElement;

  const targets = [...document.querySelectorAll('[href], [src]')]
    .map((element) => element.getAttribute('href') ?? element.getAttribute('src'))
    .filter((target) => !target.startsWith('data:'));
  const images = [...document.images].map((image) => ({
    alt: image.alt.trim(), width: image.naturalWidth, shown: Math.round(image.getBoundingClientRect().width),
  }));

  // Elements that reach past the window without a box of their own to scroll in.
  const scrolls = (element) => {
    for (let up = element; up && up !== document.body; up = up.parentElement)
      if (['auto', 'scroll'].includes(getComputedStyle(up).overflowX)) return true;
    return false;
  };
  const wide = [...document.body.querySelectorAll('*')]
    .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(element)).map(say);

  // WCAG 2 contrast of text against the ground that it stands on.
  const colour = (text) => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return { parts: [red, green, blue], alpha };
  };
  const luminance = (parts) => {
    const [red, green, blue] = parts.map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let up = element; up; up = up.parentElement) {
      const { parts, alpha } = colour(getComputedStyle(up).backgroundColor);
      if (alpha === 1) return parts;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || ['STYLE', 'SCRIPT'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const [light, dark] = [colour(style.color).parts, ground(element)].map(luminance).sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 600);
    if (contrast < (large ? 3 : 4.5)) faint.push(`${contrast.toFixed(1)} ${say(element)}`);
  }

  return {
    ids: [...document.querySelectorAll('[id]')].map((element) => element.id),
    targets, images, wide, faint,
    overflow: root.scrollWidth - root.clientWidth,
    next: document.querySelector('a[rel=next]')?.getAttribute('href') ?? null,
    previous: document.querySelector('a[rel=prev]')?.getAttribute('href') ?? null,
    dark: luminance(ground(document.body)) < 0.1,
    // Code is left out on paper; whatever else is folded has to be there.
    folded: [...document.querySelectorAll('details')]
      .filter((one) => one.checkVisibility() && [...one.children].some((child) => !child.matches('summary, .code-cell') && !child.checkVisibility()))
      .map(say),
  };
}
