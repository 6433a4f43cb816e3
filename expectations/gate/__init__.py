"""Judges runs and candidates: auditor, evidence, quarantine, approval, report."""
