"""Answers that GK writes to mail: drafts, or where a rule of the configuration says so, sent at once.

- Nobody but the author of the mail is ever written to: recipients come from its header, never from a model.
- Automatic mail is never answered, and what is sent without a person says that it is automatic (RFC 3834).
- A model reads one conversation of one user, as data between marks it cannot know; it has no tools, and returns fields.
- Its text is inert: no HTML, no images, no links or addresses the mail does not have.
- Silence rather than a generic answer: whatever is in doubt ends with a reason, not with a message.
- The draft or queue row, the flags and the new state are one commit: no crash loses an answer or makes two.
"""
