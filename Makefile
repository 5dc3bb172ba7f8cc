# `make help` lists what there is to do.
SHELL := /bin/bash
MAKEFLAGS += --always-make --no-print-directory
.DEFAULT_GOAL := help

help:  ## list what there is to do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
