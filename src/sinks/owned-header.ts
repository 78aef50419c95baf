/** Header names that are not a request's to give: what the message itself owns, what relays write, and what would make it a resent one. */
export const ownedHeader =
  /^(message-id|date|from|sender|reply-to|to|cc|bcc|subject|return-path|received|dkim-signature|mime-.*|content-.*|resent-.*)$/i
