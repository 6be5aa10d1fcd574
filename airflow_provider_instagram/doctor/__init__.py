"""Whether everything that publishing needs is there: for an account, on a machine, and on the workers. Changes nothing."""

from __future__ import annotations
