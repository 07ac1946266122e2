"""Checks: how a job's health is found out."""
