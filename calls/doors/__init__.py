"""The doors for machines: who may post and dial, by token, secret and source."""
