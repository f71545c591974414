# The two commands are `make demo` and `make check`; meson and ninja do the building.
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 60
BUILD = build/main

.PHONY: build demo check bench fuzz install clean setup

build:
	@tools/setup build
	@test -f $(BUILD)/build.ninja || meson setup --prefix=$(PREFIX) $(BUILD)
	@ninja --quiet -C $(BUILD)

# Install the Debian packages that everything below needs.
setup:
	@tools/setup build demo test peers

demo: build
	@tools/setup demo
	@tools/demo

check: build
	@tools/setup test peers
	@tools/check

bench: build
	@tools/setup demo peers
	@tests/bench/run
	@tests/bench/engine

fuzz: build
	@tools/setup test
	@tools/fuzz $(SECONDS)

install: build
	@meson configure -Dprefix=$(PREFIX) $(BUILD)
	@ninja --quiet -C $(BUILD)
	@DESTDIR=$(DESTDIR) meson install --no-rebuild --strip --quiet -C $(BUILD)

clean:
	rm -rf build
