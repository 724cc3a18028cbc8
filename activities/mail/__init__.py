"""Mail: sending by SMTP, reading by IMAP."""
