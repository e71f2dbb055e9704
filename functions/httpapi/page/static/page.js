'use strict';
// The page works without this script. It adds the copy buttons, sends a form only
// once, and removes the secret when the person leaves its page.

for (const button of document.querySelectorAll('[data-copy]')) {
  button.hidden = false;
  button.addEventListener('click', async () => {
    const field = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.copy + '-copied');
    try {
      await navigator.clipboard.writeText(field.value.trim());
      said.textContent = 'Copied.';
    } catch {
      field.focus();
      field.select();
      said.textContent = 'The text is selected. Copy it with the keyboard.';
    }
  });
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
  }
  form.dataset.sent = 'yes';
});

addEventListener('pagehide', () => {
  for (const field of document.querySelectorAll('[data-secret]')) {
    field.value = '';
    field.textContent = '';
  }
});

addEventListener('pageshow', () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
});
