"""From the records of runs to intervals, verdicts and the ledger of claims."""
