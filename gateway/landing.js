for (const row of document.querySelectorAll(".copy")) {
  const [field, button] = row.children;
  field.onfocus = () => field.select();
  button.hidden = false;
  button.onclick = async () => {
    field.focus();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch { // no https, or not allowed
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
}
