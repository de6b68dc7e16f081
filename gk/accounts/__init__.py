"""Who somebody is: passwords, logins and their limits, SASL, and which mailboxes an address leads to.

- A login is looked at only after its address and its account were found to have guesses left.
- Unknown user and wrong password give the same error, words and time.
- A password is hashed off the loop, two at a time; one verified lately is known again in microseconds.
"""
