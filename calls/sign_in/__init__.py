"""How people come in: password and code, single sign-on, lockout, sessions."""
