(function () {
  var slider = document.getElementById("slider"), output = document.getElementById("alarm-summary"), data = slider.dataset;
  var level = JSON.parse(data.level), rows = JSON.parse(data.rows), episodes = JSON.parse(data.episodes);
  var total = +data.total, days = +data.days, lines = document.querySelectorAll(".threshold");
  function rough(x) { return x >= 99.5 ? Math.round(x).toLocaleString("en") : x === 0 ? "0" : String(+x.toPrecision(2)); }
  function plural(n, noun) { return n.toLocaleString("en") + " " + noun + (n === 1 ? "" : "s"); }
  function show() {
    var at = 0;
    for (var i = 1; i < level.length; i++) if (Math.abs(level[i] - slider.value) < Math.abs(level[at] - slider.value)) at = i;
    var bits = level[at], share = 100 * rows[at] / total, text = "At " + bits.toFixed(1) + " bits: ";
    if (episodes.length) text += plural(episodes[at], "episode") + (days ? ", " + rough(episodes[at] / days) + " a day" : "") + ", with ";
    text += plural(rows[at], data.unit) + " in alarm (" + rough(share) + " % of all); by chance about " + rough(total * Math.pow(2, -bits)) + ".";
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    lines.forEach(function (line) {
      var d = line.dataset;
      if (d.top) {
        var y = +d.bottom - (d.bottom - d.top) * Math.min(Math.log1p(bits / 10) / d.full, 1);
        line.setAttribute("y1", y); line.setAttribute("y2", y);
      } else {
        var x = +d.left + (d.right - d.left) * (bits - level[0]) / (level[level.length - 1] - level[0]);
        line.setAttribute("x1", x); line.setAttribute("x2", x);
      }
    });
  }
  slider.addEventListener("input", show);
  show();
})();
// The lines of a timeline are in its pane, whose viewBox selects the part that is shown. Only the ticks of time have to
// be drawn again.
(function () {
  var MONTH_NAMES = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" "), DAY = 86400, N_TICKS = 7;
  var CLOCK_STEPS = JSON.parse(document.getElementById("overview").dataset.clock || "[]");
  var MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200], MIN_WIDTH = 32;  // units of a pane, of which a step of time has four
  function nearest(steps, raw) {
    return steps.reduce(function (a, b) { return Math.abs(Math.log(b / raw)) < Math.abs(Math.log(a / raw)) ? b : a; });
  }
  function ticks(low, high, first, at, label) {
    var found = [];
    for (var i = Math.floor(first); at(i) <= high; i++) if (at(i) >= low) found.push([at(i), label(at(i))]);
    return found;
  }
  function numbers(low, high) {
    var raw = (high - low) / N_TICKS, power = Math.pow(10, Math.floor(Math.log10(raw)));
    var step = nearest([power, 2 * power, 5 * power, 10 * power], raw), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return ticks(low, high, low / step, function (i) { return i * step; }, function (v) {
      return v.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    });
  }
  function part(seconds, first, last) { return new Date(seconds * 1000).toISOString().slice(first, last); }
  function moments(low, high) {
    var raw = (high - low) / N_TICKS, step = nearest(CLOCK_STEPS, raw), shown = "";
    if (raw > 21 * DAY) {
      step = nearest(MONTH_STEPS, raw / (30.44 * DAY));
      var first = 12 * (+part(low, 0, 4) - 1970);
      return ticks(low, high, 0, function (i) { return Date.UTC(1970, first + i * step) / 1000; }, function (v) {
        return (step < 12 ? MONTH_NAMES[+part(v, 5, 7) - 1] + " " : "") + part(v, 0, 4);
      });
    }
    return ticks(low, high, low / step, function (i) { return i * step; }, function (v) {
      var day = +part(v, 8, 10) + " " + MONTH_NAMES[+part(v, 5, 7) - 1], clock = part(v, 11, step < 60 ? 19 : 16);
      var label = step >= DAY ? day : day === shown ? clock : day + " " + clock;
      shown = day;
      return label;
    });
  }

  function timeline(figure) {
    var svg = figure.querySelector("svg"), pane = svg.querySelector(".pane"), axis = svg.querySelector(".ticks");
    var toolbar = figure.querySelector(".toolbar"), output = toolbar.querySelector("output"), data = pane.dataset;
    var box = pane.viewBox.baseVal, whole = box.width, height = box.height, dates = data.dates === "1";
    var left = +pane.getAttribute("x"), wide = +pane.getAttribute("width"), low = +data.low, span = data.high - data.low;
    var all = axis.innerHTML, chosen = null;
    if (!(span > 0)) return;
    function time(unit) { return low + span * unit / whole; }
    function unit(time) { return (time - low) / span * whole; }
    function words(time) { return dates ? part(time, 0, 16).replace("T", " ") : String(+time.toPrecision(6)); }
    function shape(name, values, text) {
      var element = document.createElementNS(svg.namespaceURI, name);
      for (var key in values) element.setAttribute(key, values[key]);
      if (text) element.textContent = text;
      return element;
    }
    function show(from, to) {
      var width = Math.min(Math.max(to - from, MIN_WIDTH), whole), start = Math.min(Math.max((from + to - width) / 2, 0), whole - width);
      var zoomed = width < whole, free = -Infinity, a = time(start), b = time(start + width), d = axis.dataset;
      pane.setAttribute("viewBox", [start, 0, width, height].join(" "));
      axis.innerHTML = zoomed ? "" : all;
      (!zoomed ? [] : dates ? moments(a, b) : numbers(a, b)).forEach(function (tick) {
        var x = left + (tick[0] - a) / (b - a) * wide, half = 3.3 * tick[1].length, middle = Math.min(x, left + wide - half);
        axis.append(shape("line", { "class": "grid", x1: x, x2: x, y1: d.top, y2: d.bottom }));
        if (middle - half < free + 6) return;
        axis.append(shape("text", { "class": "tick", x: middle, y: +d.bottom + 16, "text-anchor": "middle" }, tick[1]));
        free = middle + half;
      });
      output.textContent = zoomed ? words(a) + " to " + words(b) : "drag across the series to enlarge a part of it";
      toolbar.querySelectorAll("button:not([name=in])").forEach(function (button) { button.disabled = !zoomed; });
    }
    function zoom(factor, at, moved) {  // the part shown becomes `factor` times as wide, around a place of the pane
      var from = box.x + (moved || 0) * box.width, place = at === undefined ? from + box.width / 2 : at;
      show(place - (place - from) * factor, place + (from + box.width - place) * factor);
    }
    function at(event) {  // the place of the pointer, from 0 to 1
      var bounds = svg.getBoundingClientRect();
      return Math.min(Math.max(((event.clientX - bounds.left) / bounds.width * svg.viewBox.baseVal.width - left) / wide, 0), 1);
    }
    var actions = {
      "in": function () { zoom(0.5); }, out: function () { zoom(2); }, whole: function () { show(0, whole); },
      earlier: function () { zoom(1, undefined, -0.5); }, later: function () { zoom(1, undefined, 0.5); }
    };
    toolbar.addEventListener("click", function (event) { if (actions[event.target.name]) actions[event.target.name](); });
    svg.addEventListener("dblclick", actions.whole);
    svg.addEventListener("wheel", function (event) {  // with Ctrl, as a pinch is: else the page scrolls
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(event.deltaY / 100, 1)) / 2), box.x + at(event) * box.width);
    }, { passive: false });
    svg.addEventListener("pointerdown", function (event) {
      if (event.button || event.pointerType === "touch") return;
      event.preventDefault();
      svg.setPointerCapture(event.pointerId);
      chosen = shape("rect", { "class": "selection", y: 20, height: axis.dataset.bottom - 20, width: 0 });
      chosen.from = at(event);
      svg.append(chosen);
    });
    svg.addEventListener("pointermove", function (event) {
      if (!chosen) return;
      chosen.setAttribute("x", left + wide * Math.min(chosen.from, at(event)));
      chosen.setAttribute("width", wide * Math.abs(at(event) - chosen.from));
    });
    function release(event) {
      if (!chosen) return;
      var from = Math.min(chosen.from, at(event)), to = Math.max(chosen.from, at(event));
      chosen.remove();
      chosen = null;
      if (event.type === "pointerup" && wide * (to - from) > 5) show(box.x + from * box.width, box.x + to * box.width);
    }
    svg.addEventListener("pointerup", release);
    svg.addEventListener("pointercancel", release);
    document.querySelectorAll('a[href="#' + figure.id + '"]').forEach(function (link) {
      link.addEventListener("click", function () {
        var frame = svg.parentNode;
        show(unit(+link.dataset.from), unit(+link.dataset.to));
        frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
      });
    });
    toolbar.hidden = false;
    svg.classList.add("zoomable");
    show(0, whole);
  }
  document.querySelectorAll(".timeline").forEach(timeline);
})();
// Suspicious cells: the accepted corrections are counted, and written as csv by the browser itself.
(function () {
  var section = document.getElementById("cleaning"), toolbar = section && section.querySelector(".accepting");
  if (!toolbar) return;
  var lines = Array.prototype.slice.call(section.querySelectorAll("tr[data-row]")), output = toolbar.querySelector("output");
  function box(line) { return line.querySelector("[type=checkbox]"); }
  function field(line) { return line.querySelector(".new > *"); }
  function accepted() { return lines.filter(function (line) { return box(line).checked; }); }
  function value(line) { return line.dataset.new ? JSON.parse(line.dataset.new) : field(line).value; }
  function show() {
    var chosen = accepted().length;
    lines.forEach(function (line) { line.classList.toggle("accepted", box(line).checked); });
    output.textContent = chosen.toLocaleString("en") + " of " + lines.length.toLocaleString("en") + " listed cells accepted";
    toolbar.querySelector("[name=download]").disabled = !chosen;
  }
  function choose(wanted) {
    lines.forEach(function (line) { box(line).checked = !box(line).disabled && wanted(line); });
    show();
  }
  function quoted(text) { return '"' + text.replace(/"/g, '""') + '"'; }
  function csv() {
    return "row,column,old,new\n" + accepted().map(function (line) {
      var column = JSON.parse(line.closest("[data-column]").dataset.column);
      return [line.dataset.row].concat([column, JSON.parse(line.dataset.old), value(line)].map(quoted)).join(",") + "\n";
    }).join("");
  }
  function download(button) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = button.dataset.file;
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 60000);
  }
  function copy(button) {  // not with navigator.clipboard, which not every browser gives to a page of a file
    var range = document.createRange(), selection = getSelection();
    range.selectNodeContents(toolbar.querySelector("code"));
    selection.removeAllRanges();
    selection.addRange(range);
    if (document.execCommand("copy")) button.textContent = "Copied";
  }
  var actions = {
    download: download, copy: copy,
    all: function () { choose(function () { return true; }); },
    sure: function () { choose(function (line) { return box(line).dataset.sure; }); },
    none: function () { choose(function () { return false; }); }
  };
  toolbar.addEventListener("click", function (event) { if (actions[event.target.name]) actions[event.target.name](event.target); });
  section.addEventListener("change", show);
  section.addEventListener("input", function (event) {
    if (!event.target.closest(".new")) return;
    var line = event.target.closest("tr");
    delete line.dataset.new;
    box(line).disabled = !event.target.value;
    box(line).checked = !!event.target.value;
    show();
  });
  section.querySelectorAll(".show-all").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var panel = button.closest("article");
      panel.querySelectorAll("tr.more").forEach(function (line) { line.hidden = false; });
      panel.querySelectorAll(".some, .show-all").forEach(function (part) { part.remove(); });
    });
  });
  toolbar.hidden = false;
  show();
})();
// Before and after: the slider, or the pointer on the image, moves the line between the two.
(function () {
  document.querySelectorAll(".compare").forEach(function (figure) {
    var slider = figure.querySelector("input"), stack = figure.querySelector(".stack");
    function show() {
      figure.style.setProperty("--at", slider.value + "%");
      slider.setAttribute("aria-valuetext", slider.value + " % of the width as observed, the rest without noise");
    }
    function follow(event) {
      var bounds = stack.getBoundingClientRect();
      slider.value = Math.round(100 * (event.clientX - bounds.left) / bounds.width);
      show();
    }
    stack.addEventListener("pointerdown", function (event) {
      if (event.button) return;
      event.preventDefault();
      stack.setPointerCapture(event.pointerId);
      follow(event);
    });
    stack.addEventListener("pointermove", function (event) { if (stack.hasPointerCapture(event.pointerId)) follow(event); });
    slider.addEventListener("input", show);
    slider.hidden = false;
    show();
  });
})();
