// Numbers as people read them. Times come in picoseconds, sizes in bytes, shares from 0 to 1.

const TIME_UNITS = [[1e12, 's'], [1e9, 'ms'], [1e6, 'µs'], [1e3, 'ns'], [1, 'ps']];
const SIZE_UNITS = [[1e12, 'TB'], [1e9, 'GB'], [1e6, 'MB'], [1e3, 'KB'], [1, 'B']];
const RATE_UNITS = [[1e12, 'Tb/s'], [1e9, 'Gb/s'], [1e6, 'Mb/s'], [1e3, 'kb/s'], [1, 'b/s']];
const COUNT_UNITS = [[1e12, ' T'], [1e9, ' G'], [1e6, ' M']];

function significant(value, digits) {
  if (value === 0) return '0';
  const places = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  const text = value.toFixed(Math.min(places, 12));
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function withUnit(value, units, digits) {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value === 0) return '0 ' + units[units.length - 1][1];
  const unit = units.find(([size]) => Math.abs(value) >= size * 0.99995) || units[units.length - 1];
  return significant(value / unit[0], digits || 4) + ' ' + unit[1];
}

const formatTime = (ps, digits) => withUnit(ps, TIME_UNITS, digits);
const formatSize = (bytes, digits) => withUnit(bytes, SIZE_UNITS, digits);
const formatRate = (bps) => withUnit(bps, RATE_UNITS);
const formatShare = (share) => (share === null || share === undefined ? '–' : significant(share * 100, 3) + ' %');
const formatFactor = (value) => (value === null || value === undefined ? '–' : significant(value, 4) + '×');

function formatCount(value) {
  if (value === null || value === undefined) return '–';
  if (Math.abs(value) >= 1e7) return withUnit(value, COUNT_UNITS).replace('  ', ' ');
  return Math.round(value).toString().replace(/\B(?=(\d{3})+(?!\d))/g, ' ');
}

// The unit in which an axis up to `max` picoseconds reads well: {scale, name}.
function timeUnit(max) {
  const unit = TIME_UNITS.find(([size]) => max >= size * 2) || TIME_UNITS[TIME_UNITS.length - 1];
  return {scale: unit[0], name: unit[1]};
}

// Texts come from scenario files: nothing of them may become markup.
function escapeText(text) {
  return String(text).replace(/[&<>"']/g, (c) => ({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'})[c]);
}
