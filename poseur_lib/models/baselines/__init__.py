"""The methods that Poseur is compared with: heads under the same contract."""
