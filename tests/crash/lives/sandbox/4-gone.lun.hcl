# Nothing but the site.
