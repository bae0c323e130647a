"""Points that arrive one by one: streams, the watcher, and the feeds that points come from."""
