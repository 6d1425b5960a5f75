// When selenium-webdriver is loaded, it adds a listener for the end of the process. Loaded here, the first file that uses it
// does not leave one; see shared-process.ts.
import 'selenium-webdriver'
