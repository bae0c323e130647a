(function () {
  var slider = document.getElementById("slider"), said = document.getElementById("said"), data = slider.dataset;
  var level = JSON.parse(data.level), rows = JSON.parse(data.rows), episodes = JSON.parse(data.episodes);
  var total = +data.total, days = +data.days, lines = document.querySelectorAll(".threshold");
  function rough(x) { return x >= 99.5 ? Math.round(x).toLocaleString("en") : x === 0 ? "0" : String(+x.toPrecision(2)); }
  function plural(n, noun) { return n.toLocaleString("en") + " " + noun + (n === 1 ? "" : "s"); }
  function show() {
    var at = 0;
    for (var i = 1; i < level.length; i++) if (Math.abs(level[i] - slider.value) < Math.abs(level[at] - slider.value)) at = i;
    var bits = level[at], share = 100 * rows[at] / total, text = "At " + bits.toFixed(1) + " bits: ";
    if (episodes.length) text += plural(episodes[at], "episode") + (days ? ", " + rough(episodes[at] / days) + " a day" : "") + ", with ";
    text += plural(rows[at], episodes.length ? "point" : "row") + " in alarm (" + rough(share) + " % of all); by chance about " + rough(total * Math.pow(2, -bits)) + ".";
    said.textContent = text;
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
