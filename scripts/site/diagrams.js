// Draws the diagrams of a page, with the Mermaid that lies beside; loads it only where there are some.
(() => {
  const draw = () => {
    const blocks = [...document.querySelectorAll('pre > code.mermaid')];
    if (blocks.length === 0) return;
    const script = document.createElement('script');
    script.src = new URL('mermaid.js', document.querySelector('script[src*="main.js"]').src);
    script.onload = () => {
      const isDark = getComputedStyle(document.body).colorScheme === 'dark';
      window.mermaid.initialize({ startOnLoad: false, theme: isDark ? 'dark' : 'default', maxTextSize: 200000 });
      for (const block of blocks) {
        const figure = document.createElement('div');
        figure.className = 'mermaid';
        figure.textContent = block.textContent;
        block.parentElement.replaceWith(figure);
      }
      window.mermaid.run();
    };
    document.head.append(script);
  };
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', draw);
  else draw();
})();
