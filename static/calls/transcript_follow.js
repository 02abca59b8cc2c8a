/* Keeps what is said in sight, until its reader scrolls: then they are let alone. */

const STEERING = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];
const NEAR = 24; // px: that close to the end is at the end

export class Follow {
  /* `button` is shown while somebody reads elsewhere, and leads back. */
  constructor(box, button) {
    Object.assign(this, { box, button });
    this.isOn = true;
    this.target = null;
    this.top = 0;
    // What people do, not `scroll`: the browser scrolls by itself when rows get their size.
    for (const kind of ["wheel", "touchmove"]) box.addEventListener(kind, () => this.let(), { passive: true });
    box.addEventListener("keydown", ({ key }) => STEERING.includes(key) && this.let());
    // The scroll bar is no element of its own.
    box.addEventListener("pointerdown", ({ target }) => target === box && this.let());
    box.addEventListener("scroll", () => this.#settle(), { passive: true });
    button.addEventListener("click", () => this.again());
  }

  say(words) {
    this.button.textContent = words;
  }

  /* Show a row, unless somebody reads elsewhere. */
  to(node, isEnd = false) {
    Object.assign(this, { target: node, isEnd });
    if (this.isOn) this.show(node, isEnd);
    else this.button.hidden = false;
  }

  show(node, isEnd = false) {
    if (isEnd) {
      this.box.scrollTop = this.box.scrollHeight;
      return;
    }
    const [outer, inner] = [this.box.getBoundingClientRect(), node.getBoundingClientRect()];
    const isInSight = inner.top >= outer.top + NEAR && inner.bottom <= outer.bottom - 2 * NEAR;
    if (!isInSight) this.box.scrollTop += inner.top - outer.top - outer.height / 3;
  }

  let() {
    this.isOn = false;
    // A scroll that was begun for them may be told only now.
    this.top = this.box.scrollTop;
    this.button.hidden = !this.target;
  }

  again() {
    this.isOn = true;
    this.button.hidden = true;
    if (this.target) this.show(this.target, this.isEnd);
  }

  /* Back at the end of a list that grows there, one follows again. */
  #settle() {
    const { box } = this;
    const isDown = box.scrollTop > this.top;
    this.top = box.scrollTop;
    if (isDown && this.isEnd && !this.isOn && box.scrollHeight - box.scrollTop - box.clientHeight < NEAR) this.again();
  }
}
